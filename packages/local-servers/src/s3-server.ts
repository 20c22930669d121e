import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { checkS3Access, type S3Account } from './s3-access.ts';
import { S3Refusal, s3RefusalAnswer, type S3Answer } from './s3-answer.ts';
import { S3_LIST_ROUTES } from './s3-list-routes.ts';
import { S3_MULTIPART_ROUTES } from './s3-multipart-routes.ts';
import { S3_OBJECT_ROUTES, type S3Conditions } from './s3-object-routes.ts';
import { checkPayload } from './s3-payload.ts';
import { parseS3Request, type S3Request } from './s3-request.ts';
import { S3Bucket } from './s3-state.ts';
import type { ServerFaultEffect } from './server-faults.ts';
import { StorageServer, type StorageServerOptions } from './storage-server.ts';

const ROUTES = { ...S3_OBJECT_ROUTES, ...S3_LIST_ROUTES, ...S3_MULTIPART_ROUTES };

export interface S3ServerOptions extends StorageServerOptions {
  accounts: S3Account[];
  /** Names of buckets that are there from the beginning. */
  buckets: string[];
  /** Default `us-east-1`. */
  region?: string;
  /** What it makes of conditional puts; default `honoured`. */
  conditions?: S3Conditions;
}

interface Asked {
  raw: Buffer;
  effect: ServerFaultEffect | undefined;
  nowMs: number;
}

/** A server that speaks the part of S3 that a store of backups uses, path style, and checks signatures and checksums as strictly. */
export class S3Server extends StorageServer<S3Request> {
  /** May be changed at any time, as those who rotate keys do. */
  accounts: S3Account[];
  readonly region: string;
  readonly #buckets: ReadonlyMap<string, S3Bucket>;
  readonly #conditions: S3Conditions;

  private constructor(options: S3ServerOptions) {
    super(options);
    this.accounts = options.accounts;
    this.region = options.region ?? 'us-east-1';
    this.#conditions = options.conditions ?? 'honoured';
    this.#buckets = new Map(options.buckets.map((name) => [name, new S3Bucket(name)]));
  }

  static async start(options: S3ServerOptions): Promise<S3Server> {
    const server = new S3Server(options);
    await server.listen();
    return server;
  }

  bucket(name: string): S3Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  protected override parse(incoming: IncomingMessage): S3Request {
    return parseS3Request(incoming);
  }

  protected override answer(request: S3Request, asked: Asked): S3Answer {
    const { effect, nowMs } = asked;
    const requestId = randomBytes(8).toString('hex').toUpperCase();
    const common = { server: 'AmazonS3', date: new Date(nowMs).toUTCString(), 'x-amz-request-id': requestId };
    try {
      const answer = this.#route(request, asked);
      return { ...answer, headers: { ...common, ...answer.headers } };
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      const answer = s3RefusalAnswer(error, { head: request.method === 'HEAD', requestId });
      const waitSeconds = effect?.kind === 'refuse' ? effect.retryAfterSeconds : undefined;
      const wait = waitSeconds === undefined ? {} : { 'retry-after': String(waitSeconds) };
      return { ...answer, headers: { ...common, ...wait, ...answer.headers } };
    }
  }

  #route(request: S3Request, { raw, effect, nowMs }: Asked): S3Answer {
    if (effect?.kind === 'refuse') {
      throw new S3Refusal(effect.status, effect.code, effect.message ?? 'As the test wants it.');
    }
    const signed = checkS3Access(request, { accounts: this.accounts, region: this.region, nowMs });
    const bucket = this.#buckets.get(request.bucket);
    if (bucket === undefined) {
      const details = { BucketName: request.bucket };
      throw new S3Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist', details);
    }
    const route = ROUTES[request.operation];
    if (route === undefined) {
      throw new S3Refusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
    }
    return route({ request: checkPayload(request, raw, signed), bucket, nowMs, conditions: this.#conditions });
  }
}
