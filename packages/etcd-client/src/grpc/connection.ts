import { Metadata, status } from '@grpc/grpc-js';
import { describeError, type EtcdOpsError } from '@etcd-ops/core';
import {
  CONNECT_TIMEOUT_DEFAULT_MS,
  parseEndpoint,
  REQUEST_TIMEOUT_DEFAULT_MS,
  type EtcdAccess,
  type EtcdAddress,
  type EtcdAuth,
} from '../access.ts';
import { encodeAuthenticate } from '../wire/requests.ts';
import { decodeToken } from '../wire/responses.ts';
import { ByteCall, type ByteCallOptions } from './byte-call.ts';
import { credentialFor, credentialsOf, rightNeeded, type CredentialName } from './call-rights.ts';
import { cancelled, etcdFailure, isTokenFailure, type CallPlace, type CallStatus } from './etcd-failure.ts';
import { isPasswordMissing, Login, readPassword } from './login.ts';
import { MessageCall, type MessageCallOptions } from './message-call.ts';
import { SecureChannel } from './secure-channel.ts';
import { TlsFiles } from './tls-files.ts';
import { unaryCall, type UnaryOutcome } from './unary-call.ts';

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

/** Failures that say by themselves what they are. */
const NETWORK_TEXT = /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|closed here/;
const CLOSED_HERE: CallStatus = { code: status.UNAVAILABLE, details: 'the connection was closed here' };
const WATCH: RpcMethod = { service: 'Watch', name: 'Watch' };
const AUTHENTICATE: RpcMethod = { service: 'Auth', name: 'Authenticate' };
/** Asks etcd to fail at once when the member knows no leader. */
export const REQUIRE_LEADER = { requireLeader: true } as const;

interface UnaryOptions extends CallOptions {
  requireLeader?: boolean;
}

type StreamOptions = Pick<MessageCallOptions, 'onMessage' | 'onEnd' | 'requireLeader'>;

interface StandIn {
  user: string;
  because: string;
}

/** The right to make a call: what `token` answers. */
export interface CallToken {
  /** Undefined when etcd's auth is off or no credential is given. */
  value: string | undefined;
  login: Login | undefined;
}

/** TLS files shared by the connections to all members of a cluster; undefined when no endpoint uses TLS. */
export function openTlsFiles(endpoints: readonly string[], { tls }: EtcdAccess): TlsFiles | undefined {
  return endpoints.some((endpoint) => parseEndpoint(endpoint, tls).secure) ? new TlsFiles(tls) : undefined;
}

/** The connection to one member: gRPC channel, logins, and errors in our codes. Nothing is retried but a login that ran out, once. */
export class EtcdConnection implements Disposable {
  readonly endpoint: string;
  readonly requestTimeoutMs: number;
  readonly #channel: SecureChannel;
  readonly #address: EtcdAddress;
  readonly #access: EtcdAccess;
  /** By credential: one that serves every call logs in once. */
  readonly #logins = new Map<EtcdAuth, Login>();
  /** Credentials whose password is not on this host, and who stands in for them. */
  readonly #standIns = new Map<CredentialName, StandIn>();
  readonly #streams = new Set<MessageCall>();
  #closed = false;

  /** @throws EtcdOpsError CONFIG_INVALID or ETCD_TLS; nothing is connected yet. */
  constructor(endpoint: string, access: EtcdAccess, files: TlsFiles | undefined = openTlsFiles([endpoint], access)) {
    const address = parseEndpoint(endpoint, access.tls);
    this.endpoint = endpoint;
    this.requestTimeoutMs = access.requestTimeoutMs ?? REQUEST_TIMEOUT_DEFAULT_MS;
    this.#address = address;
    this.#access = access;
    this.#channel = new SecureChannel({
      address,
      tls: access.tls,
      files: address.secure ? files : undefined,
      onWarning: (error) => access.onWarning?.(error),
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#channel[Symbol.dispose]();
    for (const stream of this.#streams) stream.fail(CLOSED_HERE);
  }

  /** @throws EtcdOpsError naming the endpoint and the call. */
  async unary(method: RpcMethod, request: Buffer, options: UnaryOptions = {}): Promise<Buffer> {
    const token = await this.token(options.signal, method);
    const first = await this.#attempt(method, request, token, options);
    if (first.ok) return first.message;
    if (!this.needsLogin(first.failure, token)) throw await this.explained(method, first.failure, options.signal);
    const fresh = await this.token(options.signal, method);
    const second = await this.#attempt(method, request, fresh, options);
    if (second.ok) return second.message;
    throw await this.explained(method, second.failure, options.signal);
  }

  /** Opens a stream with a token got before (`token`), on a connection beside the channel. It ends with this one at the latest. */
  stream(method: RpcMethod, token: CallToken, options: StreamOptions): MessageCall {
    const stream = new MessageCall({
      ...this.#beside(method, token),
      ...options,
      onEnd: (outcome) => {
        this.#streams.delete(stream);
        options.onEnd(outcome);
      },
    });
    this.#streams.add(stream);
    return stream;
  }

  /** Makes a call whose answer is large, with a token got before (`token`), on a connection beside the channel. */
  byteCall(
    method: RpcMethod,
    token: CallToken,
    options: Pick<ByteCallOptions, 'request' | 'onData' | 'onEnd'>,
  ): ByteCall {
    return new ByteCall({ ...this.#beside(method, token), ...options });
  }

  /**
   * Logs in with the credential for this call when that has not been done yet. A host that does not have the password of that
   * credential uses the other one, if it has that.
   */
  async token(signal?: AbortSignal, method: RpcMethod = WATCH): Promise<CallToken> {
    if (this.#closed) {
      throw this.failure(AUTHENTICATE, CLOSED_HERE);
    }
    const name = credentialFor(method.name);
    let missing: unknown;
    for (const auth of credentialsOf(this.#access, name)) {
      const login = this.#loginOf(auth);
      try {
        const value = await login.token();
        if (missing === undefined) this.#standIns.delete(name);
        else this.#standIns.set(name, { user: auth.username, because: describeError(missing) });
        if (signal?.aborted === true) throw cancelled(this.#place(AUTHENTICATE), signal.reason);
        return { value, login };
      } catch (error) {
        if (!isPasswordMissing(error)) throw error;
        missing ??= error;
      }
    }
    if (missing !== undefined) throw missing as EtcdOpsError;
    return { value: undefined, login: undefined };
  }

  /**
   * True when the failure is one of the token: it is dropped, and the next `token` logs in again. Without the token that was refused,
   * every login is.
   */
  needsLogin(failure: CallStatus, token?: CallToken): boolean {
    if (this.#logins.size === 0 || !isTokenFailure(failure)) return false;
    if (token === undefined) for (const login of this.#logins.values()) login.drop();
    else token.login?.forget(token.value);
    return token === undefined || token.login !== undefined;
  }

  failure(method: RpcMethod, outcome: CallStatus, signal?: AbortSignal): EtcdOpsError {
    const place = this.#place(method);
    return signal?.aborted === true ? cancelled(place, signal.reason) : etcdFailure(place, outcome);
  }

  /** `failure` with the reason for a connection that cannot be made, where TLS is the reason. */
  async explained(method: RpcMethod, outcome: CallStatus, signal?: AbortSignal): Promise<EtcdOpsError> {
    const error = this.failure(method, outcome, signal);
    const isUnknown =
      error.code === 'ETCD_TLS' || (error.code === 'ETCD_UNREACHABLE' && !NETWORK_TEXT.test(outcome.details));
    if (!isUnknown || this.#closed) return error;
    return (await this.#channel.diagnose()) ?? error;
  }

  #beside(method: RpcMethod, { value: token }: CallToken): Omit<ByteCallOptions, 'request' | 'onData' | 'onEnd'> {
    const { tls, connectTimeoutMs = CONNECT_TIMEOUT_DEFAULT_MS } = this.#access;
    return {
      address: this.#address,
      tls: { material: this.#channel.material, verify: tls?.insecureSkipVerify !== true },
      connectTimeoutMs,
      path: pathOf(method),
      token,
    };
  }

  #loginOf(auth: EtcdAuth): Login {
    let login = this.#logins.get(auth);
    if (login === undefined) {
      login = new Login(auth, (credential) => this.#authenticate(credential));
      this.#logins.set(auth, login);
    }
    return login;
  }

  async #authenticate(auth: EtcdAuth): Promise<string | undefined> {
    const request = encodeAuthenticate(auth.username, await readPassword(auth));
    const answer = await this.#attempt(AUTHENTICATE, request, { value: undefined, login: undefined }, {});
    if (answer.ok) return decodeToken(answer.message);
    // Credentials for a cluster whose auth is off (yet) are no failure.
    if (answer.failure.details.includes('authentication is not enabled')) return undefined;
    if (answer.failure.code === status.UNAVAILABLE) throw await this.explained(AUTHENTICATE, answer.failure);
    throw etcdFailure({ ...this.#place(AUTHENTICATE), user: auth.username }, answer.failure);
  }

  #place(method: RpcMethod): CallPlace {
    const name = credentialFor(method.name);
    const standIn = this.#standIns.get(name);
    const user = standIn?.user ?? credentialsOf(this.#access, name)[0]?.username;
    const needs = rightNeeded(method.name) + (standIn === undefined ? '' : `. ${standIn.because}`);
    return { endpoint: this.endpoint, call: method.name, needs, ...(user !== undefined && { user }) };
  }

  #attempt(method: RpcMethod, request: Buffer, token: CallToken, options: UnaryOptions): Promise<UnaryOutcome> {
    return unaryCall({
      channel: this.#channel.channel,
      path: pathOf(method),
      metadata: makeMetadata(token.value, options.requireLeader),
      request,
      timeoutMs: options.timeoutMs ?? this.requestTimeoutMs,
      signal: options.signal,
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
