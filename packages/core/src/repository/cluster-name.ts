import { EtcdOpsError } from '../base/errors.ts';

/** Longest encoded name: it must fit into one part of an object key and into a stream name with a prefix. */
const ENCODED_BYTES_MAX = 200;
const PLAIN = /^[A-Za-z0-9_-]$/;
const ENCODED = /^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/;

/**
 * The name of a cluster as object keys and bus names carry it: every byte (of its UTF-8) outside of [A-Za-z0-9_-] becomes
 * `=XX`, upper-case hex. `etcd.bak` is `etcd=2Ebak`.
 * @throws EtcdOpsError CONFIG_INVALID when the name is empty, too long, or no well-formed text.
 */
export function encodeClusterName(name: string): string {
  if (name === '' || !name.isWellFormed()) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: `${JSON.stringify(name)} is no name for a cluster` });
  }
  const parts = Array.from(Buffer.from(name, 'utf8'), (byte) => {
    const letter = String.fromCharCode(byte);
    return PLAIN.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  const encoded = parts.join('');
  if (encoded.length > ENCODED_BYTES_MAX) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The cluster name ${JSON.stringify(`${name.slice(0, 60)}...`)} is too long: encoded it has ${encoded.length} letters, and ${ENCODED_BYTES_MAX} are allowed`,
    });
  }
  return encoded;
}

/** The last name that was decoded: a listing holds one cluster's name a hundred thousand times. */
let decoded: { encoded: string; name: string | undefined } = { encoded: '', name: undefined };

/** The name that `encodeClusterName` turns into exactly `encoded`, or undefined when there is none. */
export function decodeClusterName(encoded: string): string | undefined {
  if (decoded.encoded !== encoded) decoded = { encoded, name: decode(encoded) };
  return decoded.name;
}

function decode(encoded: string): string | undefined {
  if (encoded.length > ENCODED_BYTES_MAX || !ENCODED.test(encoded)) return undefined;
  const bytes = encoded.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const name = Buffer.from(bytes, 'latin1').toString('utf8');
  return encodeClusterName(name) === encoded ? name : undefined;
}
