import { invalidKeys, readKeyFile } from './key-file.ts';

/** Whom objects are encrypted to. Public keys: no secret. */
export interface Recipients {
  /** `age1...`, as the library and the `age` tool take them. */
  readonly texts: readonly string[];
  readonly fingerprints: readonly string[];
}

/** Where a configuration has its recipients: in place, or in a file that is read at each use. */
export interface RecipientsSpec {
  recipients?: readonly string[] | undefined;
  recipientsFile?: string | undefined;
}

export const RECIPIENTS_MAX = 20;
const FINGERPRINT_LETTERS = 20;
/** A recipient's first 20 letters: enough to tell keys apart, and to find the key file, which holds the recipient in its comment. */
export const FINGERPRINT = /^age1[0-9a-z]{16}$/;

export function fingerprintOf(recipient: string): string {
  return recipient.slice(0, FINGERPRINT_LETTERS);
}

/**
 * The recipients that a configuration names, checked. Never gives none: whoever wants encryption must not get plain backups.
 * @throws EtcdOpsError CONFIG_INVALID naming the line or recipient and what is wrong with it.
 */
export async function readRecipients({ recipients = [], recipientsFile }: RecipientsSpec): Promise<Recipients> {
  const listed = recipientsFile === undefined ? [] : await readList(recipientsFile);
  return await checkRecipients([...recipients, ...listed]);
}

/** @throws EtcdOpsError CONFIG_INVALID */
export async function checkRecipients(given: readonly string[]): Promise<Recipients> {
  const texts = [...new Set(given.map((text) => text.trim()))];
  if (texts.length === 0) throw invalidKeys('Encryption is asked for, and there is no recipient');
  if (texts.length > RECIPIENTS_MAX) throw invalidKeys(`${texts.length} recipients are more than ${RECIPIENTS_MAX}`);
  for (const text of texts) await checkOne(text);
  const hybrids = texts.filter(isHybrid).length;
  if (hybrids > 0 && hybrids < texts.length) {
    throw invalidKeys(
      'Post-quantum recipients (age1pq1...) and others are mixed: the others would undo what the first are for',
    );
  }
  return { texts, fingerprints: texts.map(fingerprintOf) };
}

async function checkOne(text: string): Promise<void> {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 36)}...` : text);
  if (/^AGE-SECRET-KEY-/i.test(text)) {
    throw invalidKeys(
      'A recipient is a secret key',
      'Remove it from the configuration and treat it as exposed; the recipient is the line "# public key: age1..." of its key file.',
    );
  }
  if (/^(?:ssh-|ecdsa-)/.test(text)) {
    throw invalidKeys(
      `${shown} is an SSH key, which etcd-ops does not encrypt to`,
      'Make a key of its own: `age-keygen -o key.txt`.',
    );
  }
  if (/^age1(?:tag|tagpq)1/.test(text) || (/^age1[a-z0-9-]+1/.test(text) && !isHybrid(text) && text.length !== 62)) {
    throw invalidKeys(
      `${shown} needs an age plugin to be decrypted, and etcd-ops runs none`,
      'Make a key of its own: `age-keygen -o key.txt`.',
    );
  }
  const { Encrypter } = await import('age-encryption');
  try {
    new Encrypter().addRecipient(text);
  } catch (cause) {
    throw invalidKeys(
      `${shown} is no age recipient`,
      'A recipient looks like age1ql3z7h... and ends in a checksum: copy the whole of it.',
      cause,
    );
  }
}

function isHybrid(text: string): boolean {
  return text.startsWith('age1pq1');
}

async function readList(path: string): Promise<string[]> {
  const text = await readKeyFile(path, 'recipients file');
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
