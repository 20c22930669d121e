import { HAPPENINGS } from '@etcd-ops/bus';
import { z } from 'zod';

const pathSchema = z.string().min(1).max(4_096);

/** Whom to tell of what went wrong. Secrets (a webhook's address often is one) come from files, read anew for each call. */
export const notificationsSchema = z
  .strictObject({
    webhook: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).exactOptional(),
        urlFile: pathSchema.exactOptional(),
        /** Lines of `Name: value`, such as `Authorization: Bearer ...`. */
        headersFile: pathSchema.exactOptional(),
      })
      .refine(
        ({ url, urlFile }) => (url === undefined) !== (urlFile === undefined),
        'needs url or urlFile, one of them',
      )
      .exactOptional(),
    /** A program with its arguments; it gets the JSON on standard input. No shell. */
    command: z.array(z.string().min(1).max(4_096)).min(1).max(64).exactOptional(),
    on: z
      .array(z.enum(HAPPENINGS))
      .min(1)
      .default([...HAPPENINGS]),
    /** Calls are at least so far apart; what happens meanwhile goes together. */
    intervalMs: z.number().int().min(0).max(3_600_000).default(10_000),
    timeoutMs: z.number().int().min(100).max(60_000).default(10_000),
    attemptsMax: z.number().int().min(1).max(10).default(5),
  })
  .refine(({ webhook, command }) => webhook !== undefined || command !== undefined, 'needs a webhook or a command');

export type Notifications = z.output<typeof notificationsSchema>;
