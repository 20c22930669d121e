import type { Stanza as AgeStanza } from 'age-encryption';
import { EtcdOpsError } from '../base/errors.ts';
import { damagedAge } from './age-payload.ts';
import { decodeClearFacts, encodeClearFacts, type ClearDeltaFacts, type ClearFacts } from './clear-facts.ts';
import type { Identities } from './identities.ts';
import type { Recipients } from './recipients.ts';

/** What every age file begins with. */
export const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n', 'latin1');
export const AGE_ARMOR_MAGIC = Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----', 'latin1');
/** Longest header: 20 post-quantum recipients need less. */
export const AGE_HEADER_BYTES_MAX = 64 * 1024;
/** Type of the stanza that holds the clear facts; age passes over stanzas that it does not know. */
const FACTS_STANZA = 'etcd-ops/clear-facts-1';
const MAC_LINE = Buffer.from('\n--- ', 'latin1');
/** What an encryption of nothing leaves behind its header: a nonce and the tag of an empty chunk. */
const EMPTY_PAYLOAD_BYTES = 32;

export interface NewAgeHeader {
  header: Buffer;
  fileKey: Uint8Array;
}

/** A header for recipients, and the random file key that it wraps for each of them. */
export async function makeAgeHeader(recipients: Recipients, delta?: ClearDeltaFacts): Promise<NewAgeHeader> {
  const { Encrypter, Stanza } = await import('age-encryption');
  const facts = encodeClearFacts({
    version: 1,
    recipients: [...recipients.fingerprints],
    ...(delta === undefined ? {} : { delta }),
  });
  const encrypter = new Encrypter();
  let fileKey: Uint8Array | undefined;
  for (const text of recipients.texts) encrypter.addRecipient(text);
  encrypter.addRecipient({
    wrapFileKey: (key: Uint8Array) => {
      fileKey = key.slice();
      return [new Stanza([FACTS_STANZA], facts)];
    },
  });
  const file = Buffer.from(await encrypter.encrypt(new Uint8Array(0)));
  const header = file.subarray(0, file.length - EMPTY_PAYLOAD_BYTES);
  if (fileKey === undefined || ageHeaderBytes(header) !== header.length) {
    throw new EtcdOpsError('LIMIT_EXCEEDED', {
      message: `The header of an encrypted object would have ${header.length} bytes`,
      remedy: 'Name fewer recipients.',
    });
  }
  return { header, fileKey };
}

/**
 * Where the header ends that `bytes` begin with; undefined when it goes on behind them.
 * @throws EtcdOpsError OBJECT_DAMAGED when there is no header, or none within its bound.
 */
export function ageHeaderBytes(bytes: Buffer): number | undefined {
  const begin = bytes.subarray(0, AGE_MAGIC.length);
  if (!AGE_MAGIC.subarray(0, begin.length).equals(begin)) {
    const armored = AGE_ARMOR_MAGIC.subarray(0, begin.length).equals(begin)
      ? ' but is armored: `age --decrypt` reads it'
      : '';
    throw damagedAge(`it does not begin like a binary age file${armored}`);
  }
  const macLine = bytes.indexOf(MAC_LINE);
  const end = macLine === -1 ? -1 : bytes.indexOf('\n', macLine + MAC_LINE.length);
  if (end !== -1 && end < AGE_HEADER_BYTES_MAX) return end + 1;
  if (end === -1 && bytes.length < AGE_HEADER_BYTES_MAX) return undefined;
  throw damagedAge(`its header has more than ${AGE_HEADER_BYTES_MAX} bytes`);
}

/**
 * What a header says in clear; undefined for a file that another program encrypted.
 * @throws EtcdOpsError OBJECT_DAMAGED
 */
export async function readClearFacts(header: Buffer): Promise<ClearFacts | undefined> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  let body: Uint8Array | undefined;
  let parsed = false;
  decrypter.addIdentity({
    unwrapFileKey: (stanzas: AgeStanza[]) => {
      parsed = true;
      body = stanzas.find(({ args }) => args[0] === FACTS_STANZA)?.body;
      return null;
    },
  });
  await decrypter.decryptHeader(header).catch((cause: unknown) => {
    if (!parsed) throw damagedAge('its header cannot be read', cause);
  });
  return body === undefined ? undefined : decodeClearFacts(body);
}

export interface OpenedHeader {
  fileKey: Uint8Array;
  facts: ClearFacts | undefined;
}

/**
 * The file key of a header.
 * @throws EtcdOpsError IDENTITY_MISSING naming the object and its recipients when no identity at hand fits, OBJECT_DAMAGED.
 */
export async function openAgeHeader(
  name: string,
  header: Buffer,
  identities: Identities | undefined,
): Promise<OpenedHeader> {
  const facts = await readClearFacts(header);
  if (identities === undefined) throw identityMissing(name, facts, undefined);
  const unwrapped = await identities.unwrap(header).catch((cause: unknown) => {
    throw damagedAge('its header fails its authentication', cause);
  });
  if (unwrapped !== 'no-identity') return { ...unwrapped, facts };
  const holder = facts?.recipients.find((fingerprint) => identities.fingerprints.includes(fingerprint));
  if (holder !== undefined) throw damagedAge(`the identity of its recipient ${holder} does not open its header`);
  throw identityMissing(name, facts, identities);
}

function identityMissing(
  name: string,
  facts: ClearFacts | undefined,
  identities: Identities | undefined,
): EtcdOpsError {
  const to = facts === undefined ? 'recipients that it does not name' : facts.recipients.join(' or ');
  const given =
    identities === undefined
      ? 'no identity was given'
      : `the identities given are of ${identities.fingerprints.join(', ')}`;
  const find = facts === undefined ? '' : ` Its key file holds ${facts.recipients[0]} in the line "# public key".`;
  return new EtcdOpsError('IDENTITY_MISSING', {
    message: `${name} is encrypted to ${to}, and ${given}`,
    remedy: `Give the identity with --identity-file, or ETCD_OPS_IDENTITY_FILE for services.${find}`,
  });
}
