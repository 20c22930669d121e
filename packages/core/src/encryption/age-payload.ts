import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';

/** Source: the age specification (age-encryption.org/v1), section Payload: STREAM with ChaCha20-Poly1305. */
export const AGE_CHUNK_BYTES = 64 * 1024;
export const AGE_TAG_BYTES = 16;
export const AGE_NONCE_BYTES = 16;
const SEALED_CHUNK_BYTES = AGE_CHUNK_BYTES + AGE_TAG_BYTES;
const KEY_BYTES = 32;
const CIPHER = 'chacha20-poly1305';
const TAG = { authTagLength: AGE_TAG_BYTES };
/** A nonce: 11 bytes of a counter, big endian, and one that says whether the chunk is the last. */
const COUNTER_HIGH_OFFSET = 3;
const COUNTER_LOW_OFFSET = 7;
const LAST_FLAG_OFFSET = 11;

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

/** One payload under its key, chunk by chunk. */
export class AgePayload {
  // Made once: to wrap a key and to fill a nonce anew for each chunk costs as much as half of its encryption.
  readonly #key: KeyObject;
  readonly #nonce = new Uint8Array(LAST_FLAG_OFFSET + 1);
  readonly #counter = new DataView(this.#nonce.buffer);

  /** `nonce`: what stands before the payload. */
  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', KEY_BYTES)));
  }

  /** Encrypts one chunk: at most 64 KiB, and less only for the last one. */
  seal(plain: Buffer, index: number, last: boolean): [Buffer, Buffer] {
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonceOf(index, last), TAG);
    const sealed = cipher.update(plain);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  }

  /**
   * Decrypts one chunk with its tag. Nothing of it is given away before its tag was checked.
   * @throws EtcdOpsError OBJECT_DAMAGED when it was changed, moved, or is (not) the last one.
   */
  open(sealed: Buffer, index: number, last: boolean): Buffer {
    const end = sealed.length - AGE_TAG_BYTES;
    if (end < 0 || sealed.length > SEALED_CHUNK_BYTES) throw damagedAge(`chunk ${index} of its payload is cut short`);
    // A last chunk without content would be a second way to write the same plain bytes.
    if (last && end === 0 && index > 0) throw damagedAge('its payload ends with an empty chunk');
    const decipher = createDecipheriv(CIPHER, this.#key, this.#nonceOf(index, last), TAG);
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

  /** Valid until the next is asked for. */
  #nonceOf(index: number, last: boolean): Uint8Array {
    this.#counter.setUint32(COUNTER_HIGH_OFFSET, Math.floor(index / 2 ** 32));
    this.#counter.setUint32(COUNTER_LOW_OFFSET, index % 2 ** 32);
    this.#counter.setUint8(LAST_FLAG_OFFSET, last ? 1 : 0);
    return this.#nonce;
  }
}

export function damagedAge(rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('OBJECT_DAMAGED', { message: `An encrypted object is damaged: ${rule}`, cause });
}
