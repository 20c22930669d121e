import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdTlsAccess } from '../access.ts';

/** How often the files are looked at, when calls are made. */
const CHECK_PERIOD_MS = 2_000;

/** TLS files as they were read at one moment. */
export interface TlsMaterial {
  context: SecureContext;
  /** Of the contents. */
  fingerprint: string;
}

type Look = { kind: 'same' } | { kind: 'changed'; material: TlsMaterial } | { kind: 'bad'; error: EtcdOpsError };

/** The TLS files of a cluster, followed as they are replaced. Which material is in use is its connections' own business. */
export class TlsFiles {
  readonly #tls: EtcdTlsAccess;
  readonly #now: () => number;
  readonly #periodMs: number;
  #signature: string;
  #newest: TlsMaterial;
  #nextLookMs: number;
  #badSeen = '';
  #last: Look = { kind: 'same' };

  /** @throws EtcdOpsError ETCD_TLS or CONFIG_INVALID naming the file that cannot be read or used. */
  constructor(tls: EtcdTlsAccess = {}, options: { now?: () => number; periodMs?: number } = {}) {
    this.#tls = tls;
    this.#now = options.now ?? (() => performance.now());
    this.#periodMs = options.periodMs ?? CHECK_PERIOD_MS;
    this.#signature = this.#signatureOfFiles();
    this.#newest = load(tls);
    this.#nextLookMs = this.#now() + this.#periodMs;
  }

  /** The newest files that could be used. */
  get newest(): TlsMaterial {
    return this.#newest;
  }

  /**
   * Looks at the files if it is time to. Files are often replaced one after another: what does not fit together is an error only
   * when it still is so at the next look, and is told once.
   */
  look(): EtcdOpsError | undefined {
    const nowMs = this.#now();
    if (nowMs < this.#nextLookMs) return undefined;
    this.#nextLookMs = nowMs + this.#periodMs;
    this.#last = this.#lookNow();
    if (this.#last.kind !== 'bad') {
      this.#badSeen = '';
      return undefined;
    }
    const { error } = this.#last;
    const before = this.#badSeen;
    if (before === `told ${error.message}`) return undefined;
    this.#badSeen = before === error.message ? `told ${error.message}` : error.message;
    return before === error.message ? error : undefined;
  }

  #lookNow(): Look {
    const signature = this.#signatureOfFiles();
    if (signature === this.#signature && this.#last.kind !== 'bad') return { kind: 'same' };
    try {
      const material = load(this.#tls);
      this.#signature = signature;
      if (material.fingerprint === this.#newest.fingerprint) return { kind: 'same' };
      this.#newest = material;
      return { kind: 'changed', material };
    } catch (error) {
      if (!isEtcdOpsError(error)) throw error;
      return { kind: 'bad', error };
    }
  }

  /** Cheap: of the files' facts, not of their contents. */
  #signatureOfFiles(): string {
    const { caFile, certFile, keyFile } = this.#tls;
    const facts = [caFile, certFile, keyFile].map((path) => {
      if (path === undefined) return '';
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    });
    return facts.join('|');
  }
}

function load(tls: EtcdTlsAccess): TlsMaterial {
  const [ca, cert, key] = [readPem(tls.caFile), readPem(tls.certFile), readPem(tls.keyFile)];
  if ((key === undefined) !== (cert === undefined)) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: 'A TLS certificate and its key must be given together' });
  }
  const fingerprint = createHash('sha256');
  for (const pem of [ca, cert, key]) fingerprint.update(`${pem?.length ?? -1}:`).update(pem ?? '');
  try {
    const context = createSecureContext({ ca, cert, key });
    return { context, fingerprint: fingerprint.digest('hex') };
  } catch (error) {
    throw unusable(tls, error);
  }
}

function readPem(path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new EtcdOpsError('ETCD_TLS', {
      message: `The TLS file ${path} cannot be read`,
      facts: { path },
      cause: error,
    });
  }
  if (!pem.includes('-----BEGIN ')) {
    throw new EtcdOpsError('ETCD_TLS', {
      message: `The TLS file ${path} holds nothing in PEM format`,
      facts: { path },
    });
  }
  return pem;
}

function unusable({ caFile, certFile, keyFile }: EtcdTlsAccess, error: unknown): EtcdOpsError {
  const mismatch =
    error instanceof Error && /key values mismatch|KEY_VALUES_MISMATCH|KEY_TYPE_MISMATCH/i.test(String(error));
  const files = [caFile, certFile, keyFile].filter((path) => path !== undefined).join(', ');
  return new EtcdOpsError('ETCD_TLS', {
    message: mismatch
      ? `The TLS key ${keyFile} does not belong to the certificate ${certFile}`
      : `The TLS files cannot be used: ${files}`,
    facts: { path: files },
    cause: error,
  });
}
