import { Channel, Metadata, status, type ChannelCredentials } from '@grpc/grpc-js';
import type { EtcdOpsError } from '@etcd-ops/core';
import { parseEndpoint, REQUEST_TIMEOUT_DEFAULT_MS, type EtcdAccess } from '../access.ts';
import { encodeAuthenticate } from '../wire/requests.ts';
import { decodeToken } from '../wire/responses.ts';
import { channelCredentials, channelOptions } from './channel-options.ts';
import { cancelled, etcdFailure, isTokenFailure, type CallPlace, type CallStatus } from './etcd-failure.ts';
import { readPassword } from './login.ts';
import { RawCall, type RawCallOptions } from './raw-call.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Default: `requestTimeoutMs` of the access. */
  timeoutMs?: number | undefined;
}

export interface RpcMethod {
  /** `KV`, `Maintenance`, ... */
  service: string;
  name: string;
}

const AUTHENTICATE: RpcMethod = { service: 'Auth', name: 'Authenticate' };
/** Asks etcd to fail at once when the member knows no leader. */
export const REQUIRE_LEADER = { requireLeader: true } as const;

interface UnaryOptions extends CallOptions {
  requireLeader?: boolean;
}

type StreamOptions = Pick<RawCallOptions, 'onMessage' | 'onEnd'> & {
  requireLeader?: boolean;
  signal?: AbortSignal | undefined;
};

type Outcome = { ok: true; message: Buffer } | { ok: false; failure: CallStatus };

/** The connection to one member: gRPC channel, login, and errors in our codes. Nothing is retried but a login that ran out, once. */
export class EtcdConnection implements Disposable {
  readonly endpoint: string;
  readonly requestTimeoutMs: number;
  readonly #channel: Channel;
  readonly #access: EtcdAccess;
  #closed = false;
  #login: Promise<string | undefined> | undefined;

  /** @throws EtcdOpsError CONFIG_INVALID or ETCD_TLS; nothing is connected yet. */
  constructor(endpoint: string, access: EtcdAccess) {
    const address = parseEndpoint(endpoint, access.tls);
    this.endpoint = endpoint;
    this.requestTimeoutMs = access.requestTimeoutMs ?? REQUEST_TIMEOUT_DEFAULT_MS;
    this.#access = access;
    const credentials: ChannelCredentials = channelCredentials(address, access.tls);
    this.#channel = new Channel(address.target, credentials, channelOptions());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#channel.close();
  }

  /** @throws EtcdOpsError naming the endpoint and the call. */
  async unary(method: RpcMethod, request: Buffer, options: UnaryOptions = {}): Promise<Buffer> {
    const token = await this.token(options.signal);
    const first = await this.#attempt(method, request, token, options);
    if (first.ok) return first.message;
    if (!this.needsLogin(first.failure)) throw this.failure(method, first.failure, options.signal);
    const fresh = await this.token(options.signal);
    const second = await this.#attempt(method, request, fresh, options);
    if (second.ok) return second.message;
    throw this.failure(method, second.failure, options.signal);
  }

  /** Opens a stream with a token got before (`token`). */
  stream(method: RpcMethod, token: string | undefined, options: StreamOptions): RawCall {
    const { onMessage, onEnd, signal } = options;
    const metadata = makeMetadata(token, options.requireLeader);
    return new RawCall({ channel: this.#channel, path: pathOf(method), metadata, signal, onMessage, onEnd });
  }

  /** Logs in when credentials are given and that has not been done yet; undefined when etcd's auth is off or not used. */
  async token(signal?: AbortSignal): Promise<string | undefined> {
    if (this.#closed) {
      throw this.failure(AUTHENTICATE, { code: status.UNAVAILABLE, details: 'the connection was closed here' });
    }
    if (this.#access.auth === undefined) return undefined;
    if (this.#login === undefined) {
      // Shared by all calls that wait for it, so no single caller's signal ends it; it has its own deadline.
      const login = this.#authenticate();
      this.#login = login;
      // A failed login is tried again by the next call.
      login.catch(() => {
        if (this.#login === login) this.#login = undefined;
      });
    }
    const token = await this.#login;
    if (signal?.aborted === true) throw cancelled({ endpoint: this.endpoint, call: AUTHENTICATE.name }, signal.reason);
    return token;
  }

  /** True when the failure is one of the token: the token is dropped, and the next `token` logs in again. */
  needsLogin(failure: CallStatus): boolean {
    if (this.#access.auth === undefined || !isTokenFailure(failure)) return false;
    this.#login = undefined;
    return true;
  }

  failure(method: RpcMethod, outcome: CallStatus, signal?: AbortSignal): EtcdOpsError {
    const place: CallPlace = { endpoint: this.endpoint, call: method.name };
    return signal?.aborted === true ? cancelled(place, signal.reason) : etcdFailure(place, outcome);
  }

  async #authenticate(): Promise<string | undefined> {
    const auth = this.#access.auth!;
    const request = encodeAuthenticate(auth.username, await readPassword(auth));
    const answer = await this.#attempt(AUTHENTICATE, request, undefined, {});
    if (answer.ok) return decodeToken(answer.message);
    // Credentials for a cluster whose auth is off (yet) are no failure.
    if (answer.failure.details.includes('authentication is not enabled')) return undefined;
    throw this.failure(AUTHENTICATE, answer.failure);
  }

  #attempt(method: RpcMethod, request: Buffer, token: string | undefined, options: UnaryOptions): Promise<Outcome> {
    return new Promise((resolve) => {
      let answer: Buffer | undefined;
      const call = new RawCall({
        channel: this.#channel,
        path: pathOf(method),
        metadata: makeMetadata(token, options.requireLeader),
        timeoutMs: options.timeoutMs ?? this.requestTimeoutMs,
        signal: options.signal,
        onMessage: (message) => {
          answer ??= message;
        },
        onEnd: (end) => {
          if (end.code !== status.OK) resolve({ ok: false, failure: end });
          else if (answer !== undefined) resolve({ ok: true, message: answer });
          else resolve({ ok: false, failure: { code: status.INTERNAL, details: 'an answer without a message' } });
        },
      });
      call.send(request);
      call.halfClose();
      call.readNext();
    });
  }
}

function pathOf({ service, name }: RpcMethod): string {
  return `/etcdserverpb.${service}/${name}`;
}

function makeMetadata(token: string | undefined, requireLeader = false): Metadata {
  const metadata = new Metadata();
  if (requireLeader) metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}
