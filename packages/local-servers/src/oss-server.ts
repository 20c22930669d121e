import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { checkOssAccess, type OssAccount, type OssSignatureVersion } from './oss-access.ts';
import { OssRefusal, refusalAnswer, type OssAnswer } from './oss-answer.ts';
import { withWrongBit, type OssFaultEffect } from './oss-faults.ts';
import { LIST_ROUTES } from './oss-list-routes.ts';
import { MULTIPART_ROUTES } from './oss-multipart-routes.ts';
import { OBJECT_ROUTES } from './oss-object-routes.ts';
import { parseOssRequest, type OssRequest } from './oss-request.ts';
import { OssBucket } from './oss-state.ts';
import { ServerFaults } from './server-faults.ts';

const ROUTES = { ...OBJECT_ROUTES, ...LIST_ROUTES, ...MULTIPART_ROUTES };

export interface OssServerOptions {
  accounts: OssAccount[];
  /** Names of buckets that are there from the beginning. */
  buckets: string[];
  /** Default `cn-hangzhou`. */
  region?: string;
  /** Default: both. */
  signatures?: OssSignatureVersion[];
  /** Domains of the user's own, each with the bucket that it stands for. */
  cnames?: Record<string, string>;
  /** PEM texts; with them it speaks HTTPS. */
  tls?: { cert: string; key: string };
  clock?: () => number;
}

/** A request that came in, for tests to look at. */
export interface OssSeen {
  operation: string;
  method: string;
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
  status: number;
}

/** A server that speaks the part of Alibaba Cloud's OSS that a store of backups uses, and checks signatures as strictly. */
export class OssServer implements AsyncDisposable {
  /** May be changed at any time, as those who rotate keys do. */
  accounts: OssAccount[];
  readonly region: string;
  readonly faults = new ServerFaults<OssRequest, OssFaultEffect>();
  readonly seen: OssSeen[] = [];
  readonly #buckets: ReadonlyMap<string, OssBucket>;
  readonly #server: Server;
  readonly #options: OssServerOptions;
  #port = 0;
  #inFlight = 0;
  /** The most requests that were in work at the same time. */
  inFlightMax = 0;

  private constructor(options: OssServerOptions) {
    this.#options = options;
    this.accounts = options.accounts;
    this.region = options.region ?? 'cn-hangzhou';
    this.#buckets = new Map(options.buckets.map((name) => [name, new OssBucket(name, this.region)]));
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server =
      options.tls === undefined ? createHttpServer(listener) : createHttpsServer({ ...options.tls }, listener);
    this.#server.requestTimeout = 0;
  }

  static async start(options: OssServerOptions): Promise<OssServer> {
    const server = new OssServer(options);
    await server.#listen();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:PORT` */
  get endpoint(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  bucket(name: string): OssBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  /** How many requests of an operation came in. */
  count(operation: string): number {
    return this.seen.filter((seen) => seen.operation === operation).length;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
    this.#port = address.port;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const cnames = new Map(Object.entries(this.#options.cnames ?? {}));
    const begun = parseOssRequest(incoming, { body: Buffer.alloc(0), cnames });
    const effect = this.faults.take(begun);
    const seen: OssSeen = {
      operation: begun.operation,
      method: begun.method,
      url: incoming.url ?? '',
      headers: begun.headers,
      status: 0,
    };
    this.seen.push(seen);
    this.#inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    try {
      const body = await readBody(incoming, effect?.kind === 'cut-request' ? effect.afterBytes : undefined);
      if (body === undefined) {
        incoming.socket.resetAndDestroy();
        return;
      }
      const answer = this.#answer({ ...begun, body }, effect);
      seen.status = answer.status;
      if (effect?.kind === 'hold') await effect.until;
      await send(incoming, response, { answer, effect });
    } finally {
      this.#inFlight--;
    }
  }

  #answer(request: OssRequest, effect: OssFaultEffect | undefined): OssAnswer {
    const requestId = randomBytes(12).toString('hex').toUpperCase();
    const nowMs = (this.#options.clock ?? Date.now)();
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

/** Undefined when it was to be cut and was. */
async function readBody(incoming: IncomingMessage, cutAfterBytes: number | undefined): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (cutAfterBytes !== undefined && bytes >= cutAfterBytes) return undefined;
  }
  return cutAfterBytes === undefined ? Buffer.concat(chunks) : undefined;
}

async function send(
  incoming: IncomingMessage,
  response: ServerResponse,
  { answer, effect }: { answer: OssAnswer; effect: OssFaultEffect | undefined },
): Promise<void> {
  if (effect?.kind === 'lose-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  const body = effect?.kind === 'damage-answer' ? withWrongBit(answer.body) : answer.body;
  response.writeHead(answer.status, { 'content-length': String(body.length), ...answer.headers });
  if (effect?.kind === 'half-answer') {
    response.write(body.subarray(0, body.length >>> 1), () => incoming.socket.resetAndDestroy());
    return;
  }
  if (effect?.kind === 'trickle') {
    for (let at = 0; at < body.length && !response.destroyed; at += effect.chunkBytes) {
      await delay(effect.pauseMs);
      response.write(body.subarray(at, at + effect.chunkBytes));
    }
    response.end();
    return;
  }
  response.end(body);
}
