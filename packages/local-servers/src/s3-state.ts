import { createHash } from 'node:crypto';

export interface S3Object {
  body: Buffer;
  /** With its quotes. */
  etag: string;
  modifiedAtMs: number;
  lock?: { retainUntilMs: number; mode: 'GOVERNANCE' | 'COMPLIANCE'; legalHold: boolean };
  encryption?: string;
}

export interface S3Upload {
  uploadId: string;
  key: string;
  startedAtMs: number;
  encryption?: string | undefined;
  parts: Map<number, { body: Buffer; etag: string; checksums: Record<string, string>; modifiedAtMs: number }>;
}

export interface S3LifecycleRule {
  id: string;
  prefix: string;
  expireAfterDays?: number;
  abortUploadsAfterDays?: number;
}

/** A bucket in memory. Tests read and change it at will. */
export class S3Bucket {
  readonly name: string;
  versioning: 'Enabled' | 'Suspended' | undefined;
  /** Every object is retained for so long from its upload on. */
  defaultLock: { days: number; mode: 'GOVERNANCE' | 'COMPLIANCE' } | undefined;
  lifecycle: S3LifecycleRule[] = [];
  readonly uploads = new Map<string, S3Upload>();
  readonly #objects = new Map<string, S3Object>();
  #sortedKeys: string[] | undefined;

  constructor(name: string) {
    this.name = name;
  }

  object(key: string): S3Object | undefined {
    return this.#objects.get(key);
  }

  /** In byte order. */
  keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#objects.keys()].sort((left, right) =>
      Buffer.compare(Buffer.from(left), Buffer.from(right)),
    );
    return this.#sortedKeys;
  }

  write(key: string, object: Omit<S3Object, 'etag'> & { etag?: string }): S3Object {
    if (!this.#objects.has(key)) this.#sortedKeys = undefined;
    const { defaultLock } = this;
    const written: S3Object = {
      ...object,
      etag: object.etag ?? `"${createHash('md5').update(object.body).digest('hex')}"`,
      ...(defaultLock === undefined
        ? {}
        : {
            lock: {
              retainUntilMs: object.modifiedAtMs + defaultLock.days * 86_400_000,
              mode: defaultLock.mode,
              legalHold: false,
            },
          }),
    };
    this.#objects.set(key, written);
    return written;
  }

  remove(key: string): void {
    if (this.#objects.delete(key)) this.#sortedKeys = undefined;
  }
}
