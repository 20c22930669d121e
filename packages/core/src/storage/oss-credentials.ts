import { EtcdOpsError } from '../base/errors.ts';

/** A key to OSS, perhaps for a while only, and what lay beside it. */
export interface OssCredentials {
  accessKeyId: string;
  accessKeySecret: string;
  /** With it, the key is temporary. */
  securityToken?: string;
  expiresAtMs?: number;
  /** Where the key is for, when its source says so. */
  endpoint?: string;
  region?: string;
}

/** One place where a key may be. */
export interface OssCredentialSource {
  /** For people: `the directory /data`. Holds no secret. */
  readonly name: string;
  /** Undefined when there is nothing in this place. @throws EtcdOpsError when there is something, and it is no key. */
  read(signal?: AbortSignal): Promise<OssCredentials | undefined>;
}

/** Files that somebody changes are noticed after this time. */
const KEPT_MS = 10_000;
/** Temporary keys are replaced so long before they end. */
const RENEWED_BEFORE_MS = 5 * 60_000;
/** While the source has nothing better than a key that ends soon, it is not asked more often. */
const ASKED_AGAIN_MS = 30_000;

/** The key of the first source that has one, read again so that changed files and expiring keys are replaced without a restart. */
export class OssCredentialChain {
  readonly #sources: readonly OssCredentialSource[];
  readonly #now: () => number;
  #current: { credentials: OssCredentials; readAtMs: number } | undefined;
  #reading: Promise<OssCredentials> | undefined;

  constructor(sources: readonly OssCredentialSource[], { now = Date.now }: { now?: () => number } = {}) {
    this.#sources = sources;
    this.#now = now;
  }

  /** The same object as long as nothing changed. @throws EtcdOpsError STORE_CREDENTIALS when no source has a key. */
  async get(): Promise<OssCredentials> {
    const current = this.#current;
    if (current !== undefined && !this.#isDue(current)) return current.credentials;
    return await this.renew();
  }

  /** Reads the sources now: the key at hand was refused. Callers at the same time share one reading. */
  async renew(): Promise<OssCredentials> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  #isDue({ credentials, readAtMs }: { credentials: OssCredentials; readAtMs: number }): boolean {
    const age = this.#now() - readAtMs;
    const { expiresAtMs } = credentials;
    if (expiresAtMs === undefined) return age >= KEPT_MS;
    return expiresAtMs - this.#now() < RENEWED_BEFORE_MS && age >= ASKED_AGAIN_MS;
  }

  async #read(): Promise<OssCredentials> {
    const found = await this.#find();
    const before = this.#current?.credentials;
    const credentials = before !== undefined && isSame(before, found) ? before : found;
    this.#current = { credentials, readAtMs: this.#now() };
    return credentials;
  }

  async #find(): Promise<OssCredentials> {
    for (const source of this.#sources) {
      const found = await this.#ask(source);
      if (found !== undefined) return found;
    }
    throw new EtcdOpsError('STORE_CREDENTIALS', {
      message: `No credentials for OSS were found; looked in ${this.#sources.map(({ name }) => name).join(', ')}`,
      remedy:
        'Set ALICLOUD_APPLICATION_CREDENTIALS to a directory with the files accessKeyID, accessKeySecret and storageEndpoint.',
    });
  }

  /** A source that fails for a moment (a metadata service, a file in the middle of being replaced) does not end a key that is good. */
  async #ask(source: OssCredentialSource): Promise<OssCredentials | undefined> {
    try {
      return await source.read();
    } catch (error) {
      const before = this.#current?.credentials;
      if (before === undefined || (before.expiresAtMs ?? Infinity) <= this.#now()) throw error;
      return before;
    }
  }
}

function isSame(left: OssCredentials, right: OssCredentials): boolean {
  const fields = ['accessKeyId', 'accessKeySecret', 'securityToken', 'expiresAtMs', 'endpoint', 'region'] as const;
  return fields.every((field) => left[field] === right[field]);
}
