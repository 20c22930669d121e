import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { checkS3Access, type S3Account } from './s3-access.ts';
import { S3Refusal, s3RefusalAnswer, type S3Answer } from './s3-answer.ts';
import { S3_LIST_ROUTES } from './s3-list-routes.ts';
import { S3_MULTIPART_ROUTES } from './s3-multipart-routes.ts';
import { S3_OBJECT_ROUTES, type S3Conditions } from './s3-object-routes.ts';
import { checkPayload } from './s3-payload.ts';
import { parseS3Request, type S3Request } from './s3-request.ts';
import { S3Bucket } from './s3-state.ts';
import { ServerFaults, type ServerFaultEffect } from './server-faults.ts';

const ROUTES = { ...S3_OBJECT_ROUTES, ...S3_LIST_ROUTES, ...S3_MULTIPART_ROUTES };

export interface S3ServerOptions {
  accounts: S3Account[];
  /** Names of buckets that are there from the beginning. */
  buckets: string[];
  /** Default `us-east-1`. */
  region?: string;
  /** What it makes of conditional puts; default `honoured`. */
  conditions?: S3Conditions;
  /** PEM texts; with them it speaks HTTPS. */
  tls?: { cert: string; key: string };
  clock?: () => number;
}

/** A request that came in, for tests to look at. */
export interface S3Seen {
  operation: string;
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
  bodyBytes: number;
  status: number;
}

/** A server that speaks the part of S3 that a store of backups uses, path style, and checks signatures and checksums as strictly. */
export class S3Server implements AsyncDisposable {
  /** May be changed at any time, as those who rotate keys do. */
  accounts: S3Account[];
  readonly region: string;
  readonly faults = new ServerFaults<S3Request>();
  readonly seen: S3Seen[] = [];
  readonly #buckets: ReadonlyMap<string, S3Bucket>;
  readonly #server: Server;
  readonly #options: S3ServerOptions;
  #port = 0;
  #inFlight = 0;
  /** The most requests that were in work at the same time. */
  inFlightMax = 0;

  private constructor(options: S3ServerOptions) {
    this.#options = options;
    this.accounts = options.accounts;
    this.region = options.region ?? 'us-east-1';
    this.#buckets = new Map(options.buckets.map((name) => [name, new S3Bucket(name)]));
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server =
      options.tls === undefined ? createHttpServer(listener) : createHttpsServer({ ...options.tls }, listener);
    this.#server.requestTimeout = 0;
  }

  static async start(options: S3ServerOptions): Promise<S3Server> {
    const server = new S3Server(options);
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

  bucket(name: string): S3Bucket {
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
    const request = parseS3Request(incoming);
    const effect = this.faults.take(request);
    const { operation, headers } = request;
    const seen: S3Seen = { operation, url: incoming.url ?? '', headers, bodyBytes: 0, status: 0 };
    this.seen.push(seen);
    this.#inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    try {
      const raw = await readBody(incoming, effect?.kind === 'cut-request' ? effect.afterBytes : undefined);
      if (raw === undefined) {
        incoming.socket.resetAndDestroy();
        return;
      }
      seen.bodyBytes = raw.length;
      const answer = this.#answer(request, raw, effect);
      seen.status = answer.status;
      if (effect?.kind === 'hold') await effect.until;
      await send(incoming, response, { answer, effect });
    } finally {
      this.#inFlight--;
    }
  }

  #answer(request: S3Request, raw: Buffer, effect: ServerFaultEffect | undefined): S3Answer {
    const requestId = randomBytes(8).toString('hex').toUpperCase();
    const nowMs = (this.#options.clock ?? Date.now)();
    const common = { server: 'AmazonS3', date: new Date(nowMs).toUTCString(), 'x-amz-request-id': requestId };
    try {
      const answer = this.#route(request, { raw, effect, nowMs });
      return { ...answer, headers: { ...common, ...answer.headers } };
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      const answer = s3RefusalAnswer(error, { head: request.method === 'HEAD', requestId });
      const waitSeconds = effect?.kind === 'refuse' ? effect.retryAfterSeconds : undefined;
      const wait = waitSeconds === undefined ? {} : { 'retry-after': String(waitSeconds) };
      return { ...answer, headers: { ...common, ...wait, ...answer.headers } };
    }
  }

  #route(
    request: S3Request,
    { raw, effect, nowMs }: { raw: Buffer; effect: ServerFaultEffect | undefined; nowMs: number },
  ): S3Answer {
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
    const conditions = this.#options.conditions ?? 'honoured';
    return route({ request: checkPayload(request, raw, signed), bucket, nowMs, conditions });
  }
}

/** Undefined when it was to be cut and was. */
async function readBody(incoming: IncomingMessage, cutAfterBytes: number | undefined): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (cutAfterBytes === 0) return undefined;
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
  { answer, effect }: { answer: S3Answer; effect: ServerFaultEffect | undefined },
): Promise<void> {
  if (effect?.kind === 'lose-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  const { body } = answer;
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
  }
  response.end(effect?.kind === 'trickle' ? undefined : body);
}
