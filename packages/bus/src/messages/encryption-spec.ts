import { z } from 'zod';

/** Their checksum and kind are looked at where they are used: a wrong one fails the backup, and never leaves it in clear. */
const recipientSchema = z
  .string()
  .max(4096)
  .regex(/^age1[0-9a-z]+$/, 'an age recipient: age1...');

/** Whom backups are encrypted to. Public keys only: the identities stay where one restores. */
export const encryptionSpecSchema = z
  .strictObject({
    recipients: z.array(recipientSchema).min(1).max(20).exactOptional(),
    /** One recipient a line; read at each backup, on the hosts that write them. */
    recipientsFile: z.string().min(1).max(4096).exactOptional(),
  })
  .refine(
    ({ recipients, recipientsFile }) => recipients !== undefined || recipientsFile !== undefined,
    'recipients or recipientsFile must be given',
  );
export type EncryptionSpec = z.infer<typeof encryptionSpecSchema>;
