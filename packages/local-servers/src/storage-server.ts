import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { OssAnswer } from './oss-answer.ts';
import { ServerFaults, type ServerFaultEffect } from './server-faults.ts';

export interface StorageServerOptions {
  /** PEM texts; with them it speaks HTTPS. */
  tls?: { cert: string; key: string };
  clock?: () => number;
}

/** A request that came in, for tests to look at. */
export interface StorageSeen {
  operation: string;
  method: string;
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
  bodyBytes: number;
  status: number;
}

type HeadersOf = Readonly<Record<string, string | undefined>>;

/** The HTTP side of a server of one object storage service: listening, what came in, and what goes wrong on purpose. */
export abstract class StorageServer<
  Request extends { operation: string; method: string; headers: HeadersOf },
  Effect extends { kind: string } = ServerFaultEffect,
> implements AsyncDisposable {
  readonly faults = new ServerFaults<Request, Effect | ServerFaultEffect>();
  readonly seen: StorageSeen[] = [];
  /** The most requests that were in work at the same time. */
  inFlightMax = 0;
  readonly #options: StorageServerOptions;
  readonly #server: Server;
  #port = 0;
  #inFlight = 0;

  protected constructor(options: StorageServerOptions) {
    this.#options = options;
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server =
      options.tls === undefined ? createHttpServer(listener) : createHttpsServer({ ...options.tls }, listener);
    this.#server.requestTimeout = 0;
  }

  /** Without its body, which is not there yet. */
  protected abstract parse(incoming: IncomingMessage): Request;
  protected abstract answer(
    request: Request,
    asked: { raw: Buffer; effect: Effect | ServerFaultEffect | undefined; nowMs: number },
  ): OssAnswer;

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:PORT` */
  get endpoint(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
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

  protected async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
    this.#port = address.port;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = this.parse(incoming);
    const effect = this.faults.take(request);
    const { operation, method, headers } = request;
    const seen: StorageSeen = { operation, method, url: incoming.url ?? '', headers, bodyBytes: 0, status: 0 };
    this.seen.push(seen);
    this.#inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    try {
      const fault = isCommon(effect) ? effect : undefined;
      const raw = await readBody(incoming, fault?.kind === 'cut-request' ? fault.afterBytes : undefined);
      if (raw === undefined) {
        incoming.socket.resetAndDestroy();
        return;
      }
      seen.bodyBytes = raw.length;
      const answer = this.answer(request, { raw, effect, nowMs: (this.#options.clock ?? Date.now)() });
      seen.status = answer.status;
      if (fault?.kind === 'hold') await fault.until;
      await send(incoming, response, { answer, fault });
    } finally {
      this.#inFlight--;
    }
  }
}

const COMMON = [
  'refuse',
  'cut-request',
  'lose-answer',
  'half-answer',
  'hold',
  'trickle',
] satisfies ServerFaultEffect['kind'][];

/** Those of one service alone are its own to bring about. */
function isCommon(effect: { kind: string } | undefined): effect is ServerFaultEffect {
  return effect !== undefined && (COMMON as string[]).includes(effect.kind);
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
  { answer, fault }: { answer: OssAnswer; fault: ServerFaultEffect | undefined },
): Promise<void> {
  if (fault?.kind === 'lose-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  const { body } = answer;
  response.writeHead(answer.status, { 'content-length': String(body.length), ...answer.headers });
  if (fault?.kind === 'half-answer') {
    response.write(body.subarray(0, body.length >>> 1), () => incoming.socket.resetAndDestroy());
    return;
  }
  if (fault?.kind === 'trickle') {
    for (let at = 0; at < body.length && !response.destroyed; at += fault.chunkBytes) {
      await delay(fault.pauseMs);
      response.write(body.subarray(at, at + fault.chunkBytes));
    }
  }
  response.end(fault?.kind === 'trickle' ? undefined : body);
}
