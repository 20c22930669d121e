import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { checkOssAccess, type OssAccount, type OssSignatureVersion } from './oss-access.ts';
import { OssRefusal, refusalAnswer, type OssAnswer } from './oss-answer.ts';
import { withWrongBit, type OssFaultEffect } from './oss-faults.ts';
import { LIST_ROUTES } from './oss-list-routes.ts';
import { MULTIPART_ROUTES } from './oss-multipart-routes.ts';
import { OBJECT_ROUTES } from './oss-object-routes.ts';
import { parseOssRequest, type OssRequest } from './oss-request.ts';
import { OssBucket } from './oss-state.ts';
import { StorageServer, type StorageServerOptions } from './storage-server.ts';

const ROUTES = { ...OBJECT_ROUTES, ...LIST_ROUTES, ...MULTIPART_ROUTES };

export interface OssServerOptions extends StorageServerOptions {
  accounts: OssAccount[];
  /** Names of buckets that are there from the beginning. */
  buckets: string[];
  /** Default `cn-hangzhou`. */
  region?: string;
  /** Default: both. */
  signatures?: OssSignatureVersion[];
  /** Domains of the user's own, each with the bucket that it stands for. */
  cnames?: Record<string, string>;
}

interface Asked {
  raw: Buffer;
  effect: OssFaultEffect | undefined;
  nowMs: number;
}

/** A server that speaks the part of Alibaba Cloud's OSS that a store of backups uses, and checks signatures as strictly. */
export class OssServer extends StorageServer<OssRequest, OssFaultEffect> {
  /** May be changed at any time, as those who rotate keys do. */
  accounts: OssAccount[];
  readonly region: string;
  readonly #buckets: ReadonlyMap<string, OssBucket>;
  readonly #options: OssServerOptions;

  private constructor(options: OssServerOptions) {
    super(options);
    this.#options = options;
    this.accounts = options.accounts;
    this.region = options.region ?? 'cn-hangzhou';
    this.#buckets = new Map(options.buckets.map((name) => [name, new OssBucket(name, this.region)]));
  }

  static async start(options: OssServerOptions): Promise<OssServer> {
    const server = new OssServer(options);
    await server.listen();
    return server;
  }

  bucket(name: string): OssBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  protected override parse(incoming: IncomingMessage): OssRequest {
    const cnames = new Map(Object.entries(this.#options.cnames ?? {}));
    return parseOssRequest(incoming, { body: Buffer.alloc(0), cnames });
  }

  protected override answer(begun: OssRequest, { raw, effect, nowMs }: Asked): OssAnswer {
    const answer = this.#answer({ ...begun, body: raw }, effect, nowMs);
    return effect?.kind === 'damage-answer' ? { ...answer, body: withWrongBit(answer.body) } : answer;
  }

  #answer(request: OssRequest, effect: OssFaultEffect | undefined, nowMs: number): OssAnswer {
    const requestId = randomBytes(12).toString('hex').toUpperCase();
    const common = {
      server: 'AliyunOSS',
      date: new Date(nowMs).toUTCString(),
      'x-oss-request-id': requestId,
    };
    try {
      const answer = this.#route(request, effect, nowMs);
      const checksum = effect?.kind === 'wrong-checksum' ? { 'x-oss-hash-crc64ecma': '1' } : {};
      return { ...answer, headers: { ...common, ...answer.headers, ...checksum } };
    } catch (error) {
      if (!(error instanceof OssRefusal)) throw error;
      const host = request.headers['host'] ?? '';
      const answer = refusalAnswer(error, { head: request.method === 'HEAD', requestId, host });
      const wait =
        effect?.kind === 'refuse' && effect.retryAfterSeconds !== undefined
          ? { 'retry-after': String(effect.retryAfterSeconds) }
          : {};
      return { ...answer, headers: { ...common, ...wait, ...answer.headers } };
    }
  }

  #route(request: OssRequest, effect: OssFaultEffect | undefined, nowMs: number): OssAnswer {
    if (effect?.kind === 'refuse') {
      throw new OssRefusal(effect.status, effect.code, effect.message ?? 'As the test wants it.');
    }
    const versions = this.#options.signatures ?? ['V1', 'V4'];
    checkOssAccess(request, { accounts: this.accounts, region: this.region, nowMs, versions });
    const bucket = this.#bucketOf(request);
    const route = ROUTES[request.operation];
    if (route === undefined) {
      throw new OssRefusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
    }
    if (effect?.kind !== 'damage-stored') return route({ request, bucket, nowMs });
    const { 'content-md5': _stated, ...headers } = request.headers;
    return route({ request: { ...request, headers, body: withWrongBit(request.body) }, bucket, nowMs });
  }

  #bucketOf({ bucket: name }: OssRequest): OssBucket {
    const bucket = name === undefined ? undefined : this.#buckets.get(name);
    if (bucket === undefined) {
      const details = name === undefined ? {} : { BucketName: name };
      throw new OssRefusal(404, 'NoSuchBucket', 'The specified bucket does not exist.', details);
    }
    if (bucket.region === this.region) return bucket;
    const message =
      'The bucket you are attempting to access must be addressed using the specified endpoint. ' +
      'Please send all future requests to this endpoint.';
    throw new OssRefusal(403, 'AccessDenied', message, {
      Bucket: bucket.name,
      Endpoint: `oss-${bucket.region}.aliyuncs.com`,
    });
  }
}
