import type { Decrypter } from 'age-encryption';
import { inspect } from 'node:util';
import { invalidKeys, readKeyFile } from './key-file.ts';
import { fingerprintOf } from './recipients.ts';

const IDENTITIES_MAX = 100;

/** What unwrapping a header gave: the file key, or that none of the identities fits. */
export type Unwrapped = { fileKey: Uint8Array } | 'no-identity';

/**
 * Private keys that open encrypted objects. They are held in private fields, and neither printed nor serialised.
 * Any number may be given: keys of earlier times open what was encrypted then.
 */
export class Identities {
  /** Of their recipients. */
  readonly fingerprints: readonly string[];
  readonly #secrets: readonly string[];
  /** Kept, since it has worked out the public keys. */
  #decrypter: Promise<Decrypter> | undefined;

  private constructor(secrets: readonly string[], fingerprints: readonly string[]) {
    this.#secrets = secrets;
    this.fingerprints = fingerprints;
  }

  /**
   * Reads identity files as `age-keygen` writes them: one identity a line, comments and empty lines between.
   * @throws EtcdOpsError CONFIG_INVALID naming file and line. Nothing of a secret is repeated.
   */
  static async fromFiles(paths: readonly string[]): Promise<Identities> {
    const secrets: string[] = [];
    const fingerprints: string[] = [];
    for (const path of paths) {
      const before = secrets.length;
      const lines = (await readKeyFile(path, 'identity file')).split('\n');
      for (const [index, line] of lines.entries()) {
        const text = line.trim();
        if (text === '' || text.startsWith('#')) continue;
        fingerprints.push(await fingerprintOfSecret(text, `${path}, line ${index + 1}`));
        secrets.push(text);
      }
      if (secrets.length === before) throw invalidKeys(`${path} holds no identity`);
    }
    if (secrets.length > IDENTITIES_MAX) {
      throw invalidKeys(`${secrets.length} identities are more than ${IDENTITIES_MAX}`);
    }
    return new Identities(secrets, fingerprints);
  }

  /**
   * Tries all of them on an age header.
   * @throws Error of the library when a stanza or the MAC is wrong: then the header is damaged.
   */
  async unwrap(header: Uint8Array): Promise<Unwrapped> {
    this.#decrypter ??= this.#newDecrypter();
    const fileKey = await (await this.#decrypter).decryptHeader(header).catch(() => undefined);
    return fileKey === undefined ? await this.#whyNot(header) : { fileKey };
  }

  /** Once more, to learn whether no identity fits or the header is wrong: the library tells it in words only. */
  async #whyNot(header: Uint8Array): Promise<Unwrapped> {
    const decrypter = await this.#newDecrypter();
    let missed = false;
    // Asked last, and only when no other knew an answer.
    decrypter.addIdentity({
      unwrapFileKey: () => {
        missed = true;
        return null;
      },
    });
    try {
      return { fileKey: await decrypter.decryptHeader(header) };
    } catch (error) {
      if (missed) return 'no-identity';
      throw error;
    }
  }

  async #newDecrypter(): Promise<Decrypter> {
    const age = await import('age-encryption');
    const decrypter = new age.Decrypter();
    for (const secret of this.#secrets) decrypter.addIdentity(secret);
    return decrypter;
  }

  toJSON(): unknown {
    return { fingerprints: this.fingerprints };
  }

  [inspect.custom](): string {
    return `Identities(${this.fingerprints.join(', ')})`;
  }
}

async function fingerprintOfSecret(text: string, where: string): Promise<string> {
  if (text.startsWith('-----BEGIN AGE ENCRYPTED FILE') || text.startsWith('age-encryption.org/')) {
    throw invalidKeys(
      `${where}: the identity file is itself encrypted`,
      'Decrypt it to a place in memory first: `age --decrypt key.age > /dev/shm/key.txt`.',
    );
  }
  if (/^-----BEGIN|^ssh-/.test(text)) {
    throw invalidKeys(`${where} is an SSH key, which etcd-ops does not decrypt with`, 'Use a key of `age-keygen`.');
  }
  if (text.startsWith('AGE-PLUGIN-')) throw invalidKeys(`${where} needs an age plugin, and etcd-ops runs none`);
  const { Decrypter, identityToRecipient } = await import('age-encryption');
  try {
    new Decrypter().addIdentity(text);
    return fingerprintOf(await identityToRecipient(text));
  } catch {
    // The library's message might repeat what it was given.
    throw invalidKeys(`${where} is no age identity`, 'A line of a key file looks like AGE-SECRET-KEY-1...');
  }
}
