import { AsyncLocalStorage } from 'node:async_hooks';
import { request as httpRequest, Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface OssTransportOptions {
  /** Certificates (PEM) that are trusted beside the system's. */
  ca?: string[];
  insecureSkipVerify?: boolean;
  /** How long a request may go on without a byte moving. */
  idleTimeoutMs: number;
  connectTimeoutMs?: number;
  socketsMax: number;
  /** The variables by which a machine names its proxy; without it, none is used. */
  proxyEnv?: NodeJS.ProcessEnv;
}

/** One request of the SDK, with what the SDK cannot pass on: how to cancel it, and what came back beside the part that it keeps. */
export interface OssExchange {
  signal?: AbortSignal | undefined;
  /** Whoever asked reads the body of the answer; the SDK gets an empty one. */
  readsBody?: boolean;
  /** Set when the server answered. */
  answer?: { status: number; headers: IncomingHttpHeaders; body?: Buffer };
  /** Set when no answer came. */
  failure?: unknown;
}

/** What the SDK hands to its HTTP client, as far as it is used here. */
interface SdkRequest {
  method: string;
  headers: Record<string, string | number | undefined>;
  content?: string | Uint8Array;
  stream?: Readable | null;
  /** The answer's body is wanted as a stream. */
  customResponse?: boolean;
}

interface SdkResponse {
  status: number;
  headers: IncomingHttpHeaders;
  data?: Buffer;
  res?: IncomingMessage | { status: number; headers: IncomingHttpHeaders };
}

const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 15_000;
const EMPTY_ANSWER = Buffer.from('<Answer><Empty/></Answer>');

export class OssTimeoutError extends Error {
  override readonly name = 'OssTimeoutError';
}

/**
 * Takes the place of the SDK's HTTP client, which can neither be cancelled nor given a limit for silence (only one for the whole
 * request, which large parts on slow lines exceed), hides the body of a refused download, and follows no proxy.
 */
export class OssTransport {
  readonly #options: OssTransportOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #exchanges = new AsyncLocalStorage<OssExchange>();

  constructor(options: OssTransportOptions) {
    const { ca = [], insecureSkipVerify = false, socketsMax: maxSockets, proxyEnv } = options;
    this.#options = options;
    const common = { keepAlive: true, maxSockets, ...(proxyEnv === undefined ? {} : { proxyEnv }) };
    this.#http = new HttpAgent(common);
    this.#https = new HttpsAgent({
      ...common,
      rejectUnauthorized: !insecureSkipVerify,
      ...(ca.length === 0 ? {} : { ca }),
    });
  }

  /** What `work` asks of the SDK belongs to this exchange. */
  async during<T>(exchange: OssExchange, work: () => Promise<T>): Promise<T> {
    return await this.#exchanges.run(exchange, work);
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  /** The one call that the SDK makes of its HTTP client. */
  async request(url: string, request: SdkRequest): Promise<SdkResponse> {
    const exchange = this.#exchanges.getStore() ?? {};
    try {
      const response = await this.#send(new URL(url), request, exchange.signal);
      const status = response.statusCode ?? 0;
      const { headers } = response;
      exchange.answer = { status, headers };
      if (request.customResponse === true && status < 300) return { status, headers, res: response };
      const data = await readAll(response);
      exchange.answer.body = data;
      const shown = exchange.readsBody === true && status < 300 ? EMPTY_ANSWER : data;
      return { status, headers, data: shown, ...(request.customResponse === true ? {} : { res: { status, headers } }) };
    } catch (error) {
      exchange.failure = error;
      throw error;
    }
  }

  async #send(url: URL, request: SdkRequest, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const secure = url.protocol === 'https:';
    const options = {
      method: request.method,
      headers: wireHeaders(request.headers),
      agent: secure ? this.#https : this.#http,
      ...(signal === undefined ? {} : { signal }),
    };
    const outgoing = secure ? httpsRequest(url, options) : httpRequest(url, options);
    return await new Promise<IncomingMessage>((resolve, reject) => {
      let response: IncomingMessage | undefined;
      // A server that refuses early closes while the body is still on its way: its answer counts, not the broken pipe.
      outgoing.on('error', (error) => (response === undefined ? reject(error) : response.destroy(error)));
      outgoing.once('response', (incoming) => {
        response = incoming;
        resolve(incoming);
      });
      this.#watchSilence(outgoing, () => response);
      const { content, stream } = request;
      if (stream instanceof Readable) {
        pipeline(stream, outgoing).catch(() => {});
      } else {
        outgoing.end(content);
      }
    });
  }

  #watchSilence(outgoing: ReturnType<typeof httpRequest>, response: () => IncomingMessage | undefined): void {
    const { idleTimeoutMs, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    outgoing.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => {
        outgoing.destroy(new OssTimeoutError(`no connection within ${connectTimeoutMs} ms`));
      }, connectTimeoutMs);
      const stop = (): void => clearTimeout(timer);
      socket.once('connect', stop).once('close', stop);
    });
    outgoing.setTimeout(idleTimeoutMs, () => {
      // A reader that is slow itself is no silence of the server.
      if ((response()?.readableLength ?? 0) > 0) {
        outgoing.setTimeout(idleTimeoutMs);
        return;
      }
      outgoing.destroy(new OssTimeoutError(`nothing came for ${idleTimeoutMs} ms`));
    });
  }
}

/** For an endpoint that is an address, the SDK states the host of a public region; the URL knows better. */
function wireHeaders(headers: SdkRequest['headers']): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && name.toLowerCase() !== 'host') plain[name] = String(value);
  }
  return plain;
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
