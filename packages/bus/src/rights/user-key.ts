import { nkeys } from 'nats';

/** A user's nkey: the seed stays with the user, the server knows the public half only. */
export interface UserKey {
  /** `SU...`, secret. */
  seed: string;
  /** `U...`. */
  publicKey: string;
}

interface KeyPair {
  getSeed(): Uint8Array;
  getPublicKey(): string;
}

const decoder = new TextDecoder();

export function createUserKey(): UserKey {
  // The client re-exports the library of keys without its types.
  const pair = (nkeys as { createUser(): KeyPair }).createUser();
  return { seed: decoder.decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

/** The public key of a seed that was made before. @throws Error when it is none. */
export function publicKeyOf(seed: string): string {
  const pair = (nkeys as { fromSeed(seed: Uint8Array): KeyPair }).fromSeed(new TextEncoder().encode(seed));
  return pair.getPublicKey();
}
