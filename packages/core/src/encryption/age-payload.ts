import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';

/** Source: the age specification (age-encryption.org/v1), section Payload: STREAM with ChaCha20-Poly1305. */
export const AGE_CHUNK_BYTES = 64 * 1024;
export const AGE_TAG_BYTES = 16;
export const AGE_NONCE_BYTES = 16;
const SEALED_CHUNK_BYTES = AGE_CHUNK_BYTES + AGE_TAG_BYTES;
const KEY_BYTES = 32;
const CIPHER = 'chacha20-poly1305';
const COUNTER_OFFSET = 5;
const LAST_FLAG_OFFSET = 11;

/** The key of a payload, out of the file key and the nonce that stands before the payload. */
export function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', KEY_BYTES));
}

/** Stored bytes of a payload (without the nonce before it) that holds `plainBytes`. */
export function sealedBytesOf(plainBytes: number): number {
  return plainBytes + AGE_TAG_BYTES * Math.max(1, Math.ceil(plainBytes / AGE_CHUNK_BYTES));
}

/**
 * Plain bytes of a payload of that size.
 * @throws EtcdOpsError OBJECT_DAMAGED when no payload has that size.
 */
export function plainBytesOf(sealedBytes: number): number {
  const chunks = Math.max(1, Math.ceil(sealedBytes / SEALED_CHUNK_BYTES));
  const plainBytes = sealedBytes - chunks * AGE_TAG_BYTES;
  if (plainBytes < 0 || sealedBytesOf(plainBytes) !== sealedBytes) throw damagedAge('its payload is cut short');
  return plainBytes;
}

/** Encrypts one chunk: at most 64 KiB, and less only for the last one. */
export function sealChunk(key: Buffer, index: number, plain: Buffer, last: boolean): [Buffer, Buffer] {
  const cipher = createCipheriv(CIPHER, key, nonceOf(index, last), { authTagLength: AGE_TAG_BYTES });
  const sealed = cipher.update(plain);
  cipher.final();
  return [sealed, cipher.getAuthTag()];
}

/**
 * Decrypts one chunk with its tag. Nothing of it is given away before its tag was checked.
 * @throws EtcdOpsError OBJECT_DAMAGED when it was changed, moved, or is (not) the last one.
 */
export function openChunk(key: Buffer, index: number, sealed: Buffer, last: boolean): Buffer {
  const end = sealed.length - AGE_TAG_BYTES;
  if (end < 0 || sealed.length > SEALED_CHUNK_BYTES) throw damagedAge(`chunk ${index} of its payload is cut short`);
  // A last chunk without content would be a second way to write the same plain bytes.
  if (last && end === 0 && index > 0) throw damagedAge('its payload ends with an empty chunk');
  const decipher = createDecipheriv(CIPHER, key, nonceOf(index, last), { authTagLength: AGE_TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    const rule = `chunk ${index} of its payload fails its authentication: it was changed, moved or cut`;
    throw damagedAge(rule, cause);
  }
  return plain;
}

export function damagedAge(rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('OBJECT_DAMAGED', { message: `An encrypted object is damaged: ${rule}`, cause });
}

/** 11 bytes of a counter, big endian, and one that says whether the chunk is the last. */
function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(LAST_FLAG_OFFSET + 1);
  nonce.writeUIntBE(index, COUNTER_OFFSET, LAST_FLAG_OFFSET - COUNTER_OFFSET);
  nonce[LAST_FLAG_OFFSET] = last ? 1 : 0;
  return nonce;
}
