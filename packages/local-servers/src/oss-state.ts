import { createHash, randomBytes } from 'node:crypto';
import { ossCrc64 } from './oss-crc64.ts';

/** One version of an object, or a marker that it was deleted. */
export interface OssVersion {
  versionId: string;
  body: Buffer;
  etag: string;
  crc64: string;
  type: 'Normal' | 'Multipart';
  modifiedAtMs: number;
  deleted: boolean;
}

export interface OssUpload {
  uploadId: string;
  key: string;
  startedAtMs: number;
  parts: Map<number, { body: Buffer; etag: string; crc64: string; modifiedAtMs: number }>;
}

export interface OssLifecycleRule {
  id: string;
  prefix: string;
  expireAfterDays?: number;
  moveAfterDays?: number;
  abortUploadsAfterDays?: number;
}

/** A bucket in memory. Tests read and change it at will. */
export class OssBucket {
  readonly name: string;
  /** `cn-hangzhou`. Another than the server's: the server tells clients to go to that endpoint. */
  region: string;
  versioning: 'Enabled' | 'Suspended' | undefined;
  /** A retention policy of the whole bucket. */
  worm: { days: number; state: 'InProgress' | 'Locked' } | undefined;
  lifecycle: OssLifecycleRule[] = [];
  readonly uploads = new Map<string, OssUpload>();
  /** Newest version last. */
  readonly #objects = new Map<string, OssVersion[]>();
  #sortedKeys: string[] | undefined;

  constructor(name: string, region: string) {
    this.name = name;
    this.region = region;
  }

  current(key: string): OssVersion | undefined {
    const version = this.#objects.get(key)?.at(-1);
    return version === undefined || version.deleted ? undefined : version;
  }

  versions(key: string): readonly OssVersion[] {
    return this.#objects.get(key) ?? [];
  }

  /** Keys of what is there, in byte order. */
  keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#objects.keys()]
      .filter((key) => this.current(key) !== undefined)
      .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    return this.#sortedKeys;
  }

  write(key: string, body: Buffer, { type = 'Normal', etag, nowMs }: OssWrite): OssVersion {
    return this.#push(key, {
      versionId: this.#newVersionId(),
      body,
      etag: etag ?? ossMd5(body).toString('hex').toUpperCase(),
      crc64: ossCrc64(body),
      type,
      modifiedAtMs: nowMs,
      deleted: false,
    });
  }

  /** With versioning, leaves a marker; the bytes stay. */
  remove(key: string, nowMs: number): void {
    if (!this.#objects.has(key)) return;
    this.#sortedKeys = undefined;
    if (this.versioning === undefined) {
      this.#objects.delete(key);
      return;
    }
    const nothing = { body: Buffer.alloc(0), etag: '', crc64: '0', type: 'Normal' as const };
    this.#push(key, { versionId: this.#newVersionId(), ...nothing, modifiedAtMs: nowMs, deleted: true });
  }

  #push(key: string, version: OssVersion): OssVersion {
    this.#sortedKeys = undefined;
    const kept = this.#objects.get(key) ?? [];
    const below = this.versioning === 'Enabled' ? kept : kept.filter(({ versionId }) => versionId !== 'null');
    this.#objects.set(key, this.versioning === undefined ? [version] : [...below, version]);
    return version;
  }

  #newVersionId(): string {
    return this.versioning === 'Enabled' ? `CAEQ${randomBytes(12).toString('hex')}` : 'null';
  }
}

interface OssWrite {
  type?: 'Normal' | 'Multipart';
  etag?: string;
  nowMs: number;
}

export function ossMd5(body: Uint8Array): Buffer {
  return createHash('md5').update(body).digest();
}
