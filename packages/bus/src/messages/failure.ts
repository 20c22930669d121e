import { z } from 'zod';

/** Why something failed, for people and for programs: the code is stable. */
export const failureSchema = z.object({
  code: z.string().min(1).max(64),
  message: z.string().max(4096),
});
export type Failure = z.infer<typeof failureSchema>;
