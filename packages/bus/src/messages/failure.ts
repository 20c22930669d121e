import { z } from 'zod';

/** Why something failed, for people and for programs: the code is stable. */
export const failureSchema = z.object({
  code: z.string().min(1).max(64),
  message: z.string().max(4096),
  /** What to do, where more is known than the code says. */
  remedy: z.string().max(1024).exactOptional(),
});
export type Failure = z.infer<typeof failureSchema>;
