import {
  connect,
  createInbox,
  Events,
  type ConnectionOptions,
  type JetStreamClient,
  type JetStreamManager,
  type JetStreamManagerOptions,
  type NatsConnection,
  type Status,
} from 'nats';
import { cancelled, toBusError } from './bus-error.ts';
import { credentialsFileAuthenticator, nkeyFileAuthenticator } from './credentials-file.ts';

export interface BusOptions {
  /** One URL or several of one NATS cluster. */
  url: string | readonly string[];
  token?: string;
  user?: string;
  pass?: string;
  /** A NATS `.creds` file; read again at each connection. */
  credsFile?: string;
  /** Holds the seed of a user's nkey (`SU...`); read again at each connection. */
  nkeyFile?: string;
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  /** Shown by `nats server report connections`. */
  name: string;
  /** Answers arrive below it; rights are given per role by it (`_INBOX_watcher`). */
  inboxPrefix?: string;
  /** Of one JetStream request; default 2 s: an answer that was lost with a connection only shows as this timeout. */
  requestTimeoutMs?: number;
  /** Default 2.5 s: a server that stopped without closing is noticed after two to three of them. */
  pingIntervalMs?: number;
  /** Of the first connection; default 5 s. */
  connectTimeoutMs?: number;
}

export type BusStatus =
  | { type: 'disconnected'; server: string }
  | { type: 'reconnected'; server: string }
  | { type: 'error'; message: string }
  | { type: 'closed'; message?: string };

const REQUEST_TIMEOUT_MS = 2_000;
const PING_INTERVAL_MS = 2_500;
const CONNECT_TIMEOUT_MS = 5_000;
/** What a server that is there answers within milliseconds. */
const QUICK_REQUEST_TIMEOUT_MS = 500;
/** Purging gigabytes took seconds where everything else takes a millisecond. */
const SLOW_REQUEST_TIMEOUT_MS = 30_000;

/**
 * Connects, and from then on reconnects for ever.
 * @throws EtcdOpsError BUS_UNREACHABLE when the first connection fails, CONFIG_INVALID for a file of credentials that holds none.
 */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const servers = typeof options.url === 'string' ? [options.url] : [...options.url];
  const where = servers.map(withoutCredentials).join(', ');
  try {
    return new Bus(await connect(connectionOptions(options, servers)), options);
  } catch (error) {
    throw toBusError(error, `Connecting to NATS at ${where}`);
  }
}

/** A connection to NATS with what JetStream needs; whoever opened it closes it. */
export class Bus implements AsyncDisposable {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly requestTimeoutMs: number;
  readonly #options: BusOptions;
  readonly #jetStream: JetStreamManagerOptions;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  #connected = true;
  #disconnects = 0;
  #manager: Promise<JetStreamManager> | undefined;
  #slowManager: Promise<JetStreamManager> | undefined;
  #quickManager: Promise<JetStreamManager> | undefined;

  constructor(nc: NatsConnection, options: BusOptions) {
    this.nc = nc;
    this.#options = options;
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#jetStream = { timeout: this.requestTimeoutMs, checkAPI: false };
    this.js = nc.jetstream(this.#jetStream);
    void this.#followStatus();
  }

  get connected(): boolean {
    return this.#connected && !this.nc.isClosed();
  }

  /** How often the connection was lost. Who must not go on over a disconnect compares it. */
  get disconnects(): number {
    return this.#disconnects;
  }

  /** The largest payload and headers together that the server takes now, in bytes. */
  get maxPayloadBytes(): number {
    return this.nc.info?.max_payload ?? 1024 * 1024;
  }

  jsm(): Promise<JetStreamManager> {
    return (this.#manager ??= this.nc.jetstreamManager(this.#jetStream));
  }

  /** For what is tried again when nobody answers. */
  quickJsm(): Promise<JetStreamManager> {
    const timeout = Math.min(QUICK_REQUEST_TIMEOUT_MS, this.requestTimeoutMs);
    return (this.#quickManager ??= this.nc.jetstreamManager({ ...this.#jetStream, timeout }));
  }

  /** For purges. */
  slowJsm(): Promise<JetStreamManager> {
    const options: JetStreamManagerOptions = { ...this.#jetStream, timeout: SLOW_REQUEST_TIMEOUT_MS };
    return (this.#slowManager ??= this.nc.jetstreamManager(options));
  }

  createInbox(): string {
    return createInbox(this.#options.inboxPrefix);
  }

  /** Calls `listener` at every change; returns the function that ends it. */
  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when connected (at once, if it is), rejects (CANCELLED, BUS_UNREACHABLE) when the signal is aborted or the bus was closed. */
  async whenConnected(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw cancelled('Waiting for NATS', signal);
    if (this.connected) return;
    if (this.nc.isClosed()) throw toBusError(new Error('the connection was closed'), 'Waiting for NATS');
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void) => {
        stop();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => finish(() => reject(cancelled('Waiting for NATS', signal)));
      const stop = this.onStatus((status) => {
        if (status.type === 'reconnected') finish(resolve);
        if (status.type === 'closed') {
          finish(() => reject(toBusError(new Error('the connection was closed'), 'Waiting for NATS')));
        }
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Lets what is under way finish, then closes. */
  async drain(): Promise<void> {
    // A drain needs the server: without one it would wait for ever.
    if (this.nc.isClosed() || this.nc.isDraining() || !this.connected) return this.close();
    await this.nc.drain().catch(() => this.close());
  }

  async close(): Promise<void> {
    await this.nc.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #followStatus(): Promise<void> {
    void this.nc.closed().then((error) => {
      this.#connected = false;
      this.#disconnects++;
      this.#emit(error instanceof Error ? { type: 'closed', message: error.message } : { type: 'closed' });
    });
    for await (const status of this.nc.status()) this.#follow(status);
  }

  #follow(status: Status): void {
    const text = typeof status.data === 'string' ? status.data : JSON.stringify(status.data);
    if (status.type === Events.Disconnect) {
      this.#connected = false;
      this.#disconnects++;
      this.#emit({ type: 'disconnected', server: withoutCredentials(text) });
    } else if (status.type === Events.Reconnect) {
      this.#connected = true;
      this.#emit({ type: 'reconnected', server: withoutCredentials(text) });
    } else if (status.type === Events.Error) {
      this.#emit({ type: 'error', message: text });
    }
  }

  #emit(status: BusStatus): void {
    for (const listener of [...this.#listeners]) listener(status);
  }
}

function connectionOptions(options: BusOptions, servers: string[]): ConnectionOptions {
  const { token, user, pass, tls, inboxPrefix } = options;
  return {
    servers,
    name: options.name,
    // The defaults give up after ten tries, and notice a silent server only after minutes.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: options.pingIntervalMs ?? PING_INTERVAL_MS,
    maxPingOut: 2,
    timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    // Stack traces of every request cost more than the requests.
    noAsyncTraces: true,
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...(tls === undefined ? {} : { tls }),
    ...authenticatorOf(options),
  };
}

function authenticatorOf(options: BusOptions): Pick<ConnectionOptions, 'authenticator' | 'ignoreAuthErrorAbort'> {
  const { credsFile, nkeyFile } = options;
  if (credsFile === undefined && nkeyFile === undefined) return {};
  const authenticator =
    credsFile === undefined ? nkeyFileAuthenticator(nkeyFile!) : credentialsFileAuthenticator(credsFile);
  // Two refusals in a row would close the connection for good, and the next file may be accepted.
  return { authenticator, ignoreAuthErrorAbort: true };
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
