import type { OssCredentialChain, OssCredentials } from './oss-credentials.ts';
import type { OssEndpoint } from './oss-endpoint.ts';
import { isKeyRefused, ossCodeOf, ossFailure } from './oss-failures.ts';
import { ossSdk, type OssSdk } from './oss-sdk.ts';
import type { OssExchange, OssTransport } from './oss-transport.ts';

interface Call<Expected extends string> {
  /** For errors: `Reading`. */
  action: string;
  key: string;
  signal?: AbortSignal | undefined;
  /** `work` reads the body of the answer itself. */
  readsBody?: boolean;
  /** Refusals of OSS that are an answer here. */
  expected?: readonly Expected[];
}

/** Sends requests to one bucket with the key that is good at the moment. */
export class OssCalls {
  readonly #bucket: string;
  readonly #chain: OssCredentialChain;
  readonly #transport: OssTransport;
  readonly #locate: (credentials: OssCredentials) => OssEndpoint;
  #sdk: { of: OssCredentials; sdk: OssSdk; endpoint: OssEndpoint };
  #clockAheadMs: number | undefined;

  constructor(
    credentials: OssCredentials,
    options: {
      bucket: string;
      chain: OssCredentialChain;
      transport: OssTransport;
      /** Whose key it is says where the bucket is, unless the configuration does. */
      locate: (credentials: OssCredentials) => OssEndpoint;
    },
  ) {
    this.#bucket = options.bucket;
    this.#chain = options.chain;
    this.#transport = options.transport;
    this.#locate = options.locate;
    this.#sdk = this.#make(credentials);
  }

  get endpointUrl(): string {
    return this.#sdk.endpoint.url;
  }

  /** How far the clock of the server was ahead of ours in its last answer, to the second. */
  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs;
  }

  /**
   * One request. A key that is refused is looked for again, and when there is another one, the request is sent with that.
   * @returns what the SDK made of the answer, or the code of a refusal that was expected.
   * @throws EtcdOpsError
   */
  async run<T, Expected extends string = never>(
    call: Call<Expected>,
    work: (sdk: OssSdk, exchange: OssExchange) => Promise<T>,
  ): Promise<T | Expected> {
    const credentials = await this.#chain.get();
    const first = await this.#try(call, work, credentials);
    if (first.done || !isKeyRefused(first.code)) return unwrap(first);
    const renewed = await this.#chain.renew().catch(() => credentials);
    return unwrap(renewed === credentials ? first : await this.#try(call, work, renewed));
  }

  close(): void {
    this.#transport.close();
  }

  async #try<T, Expected extends string>(
    { action, key, signal, readsBody = false, expected = [] }: Call<Expected>,
    work: (sdk: OssSdk, exchange: OssExchange) => Promise<T>,
    credentials: OssCredentials,
  ): Promise<{ done: true; value: T | Expected } | { done: false; code: string; error: Error }> {
    const exchange: OssExchange = { signal, readsBody };
    const { sdk, endpoint } = this.#current(credentials);
    try {
      signal?.throwIfAborted();
      return { done: true, value: await this.#transport.during(exchange, async () => await work(sdk, exchange)) };
    } catch (error) {
      const code = ossCodeOf(exchange);
      const answer = expected.find((candidate) => candidate === code);
      if (answer !== undefined) return { done: true, value: answer };
      const where = { action, key, bucket: this.#bucket, endpoint, credentials };
      return { done: false, code, error: ossFailure(where, { exchange, error, signal }) };
    } finally {
      const serverMs = Date.parse(exchange.answer?.headers.date ?? '');
      if (!Number.isNaN(serverMs)) this.#clockAheadMs = serverMs - Date.now();
    }
  }

  #current(credentials: OssCredentials): { sdk: OssSdk; endpoint: OssEndpoint } {
    if (this.#sdk.of !== credentials) this.#sdk = this.#make(credentials);
    return this.#sdk;
  }

  #make(credentials: OssCredentials): { of: OssCredentials; sdk: OssSdk; endpoint: OssEndpoint } {
    const endpoint = this.#locate(credentials);
    const sdk = ossSdk(endpoint, { bucket: this.#bucket, credentials, transport: this.#transport });
    return { of: credentials, sdk, endpoint };
  }
}

function unwrap<T>(outcome: { done: true; value: T } | { done: false; error: Error }): T {
  if (outcome.done) return outcome.value;
  throw outcome.error;
}
