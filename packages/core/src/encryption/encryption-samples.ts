import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Identities } from './identities.ts';
import { checkRecipients, type Recipients } from './recipients.ts';

/** Keys that protect nothing: made by `age-keygen` for these tests. */
export const SAMPLE_KEYS = [
  {
    recipient: 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla',
    identity: 'AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN',
  },
  {
    recipient: 'age16a35vhlreum77j9nqttlpv6j24hwply7daucnzsx46ft3wwh04ase6vuzq',
    identity: 'AGE-SECRET-KEY-1L2GNASPP0VMACJEXP50YHP0RKURAGRLDMRPNCXNS7AJ0HNSPPXMS6N72ET',
  },
] as const;

export async function sampleRecipients(...which: number[]): Promise<Recipients> {
  return await checkRecipients(which.map((index) => SAMPLE_KEYS[index]!.recipient));
}

export async function sampleIdentities(...which: number[]): Promise<Identities> {
  return await identitiesOf(which.map((index) => SAMPLE_KEYS[index]!.identity).join('\n'));
}

/** Identities out of the text of a key file. */
export async function identitiesOf(text: string): Promise<Identities> {
  const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-keys-'));
  try {
    const path = join(directory, 'key.txt');
    writeFileSync(path, text, { mode: 0o600 });
    return await Identities.fromFiles([path]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
