import { connect, constants, sensitiveHeaders, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import type { EtcdAddress } from '../access.ts';
import { outcomeOfHeaders, outcomeOfLoss, outcomeOfReset, outcomeOfResponse } from './byte-outcome.ts';
import { FLOW_CONTROL_WINDOW_BYTES, KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from './channel-options.ts';
import type { CallStatus } from './etcd-failure.ts';
import { openTcp, openTls, type TlsSocketOptions } from './open-socket.ts';

/** Of each message: a flag (compressed or not), and the length. */
export const PREFIX_BYTES = 5;
const GOAWAY_TEXT_BYTES_MAX = 200;

export interface ByteCallOptions {
  address: EtcdAddress;
  /** Used when the address is one of TLS. */
  tls: TlsSocketOptions;
  /** Of TCP and TLS together. */
  connectTimeoutMs: number;
  /** `/etcdserverpb.Maintenance/Snapshot` */
  path: string;
  token: string | undefined;
  requireLeader?: boolean | undefined;
  /** The one message of the call, without gRPC's prefix; undefined: messages follow by `send`. */
  request: Buffer | undefined;
  /** Bytes of the answer with gRPC's prefixes in it, cut anywhere. They are valid until the next ones come. */
  onData(chunk: Buffer): void;
  /** Once, after the last byte; code 0 is success. */
  onEnd(outcome: CallStatus): void;
}

/**
 * One gRPC call whose answer is handed on as the bytes that arrive. It has a connection of its own, which is closed
 * when it ends, however it ends. `pause` holds back the server by HTTP/2 flow control.
 */
export class ByteCall {
  readonly #options: ByteCallOptions;
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #connectTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | undefined;
  #status: CallStatus | undefined;
  #allRead = false;
  #error: unknown;
  #goaway: string | undefined;
  /** What the newest chunk lies in. */
  #readInto: ArrayBufferLike | undefined;
  #ended = false;

  constructor(options: ByteCallOptions) {
    this.#options = options;
    const { address, tls, path, token, requireLeader, request } = options;
    this.#socket = address.secure ? openTls(address, tls) : openTcp(address);
    this.#connectTimer = setTimeout(() => this.#connectTimedOut(), options.connectTimeoutMs);
    this.#session = connect(`${address.secure ? 'https' : 'http'}://${address.target}`, {
      createConnection: () => this.#socket,
      settings: { initialWindowSize: FLOW_CONTROL_WINDOW_BYTES, enablePush: false },
    });
    this.#followSession(address.secure ? 'secureConnect' : 'connect');
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'etcd-ops',
      ...(requireLeader === true && { hasleader: 'true' }),
      ...(token !== undefined && { token, [sensitiveHeaders]: ['token'] }),
    });
    this.#followStream();
    if (request !== undefined) this.#stream.end(prefixed(request));
  }

  /** One message more; only in a call without `request`. */
  send(message: Buffer): void {
    if (!this.#ended) this.#stream.write(prefixed(message));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#ended) this.#stream.resume();
  }

  cancel(): void {
    this.fail({ code: status.CANCELLED, details: 'cancelled here' });
  }

  /** Ends the call from this side with a status of our own. */
  fail(outcome: CallStatus): void {
    this.#end(outcome);
  }

  #followSession(ready: 'connect' | 'secureConnect'): void {
    const session = this.#session;
    this.#socket.once(ready, () => clearTimeout(this.#connectTimer));
    session.once('connect', () => {
      if (this.#ended) return;
      session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
      this.#pingLater();
    });
    session.on('error', (error) => {
      this.#error ??= error;
    });
    session.on('goaway', (code, _lastStreamId, data) => {
      const text = data?.subarray(0, GOAWAY_TEXT_BYTES_MAX).toString('latin1') ?? '';
      this.#goaway = `the server closed the connection (HTTP/2 code ${code}${text === '' ? '' : `, ${text}`})`;
    });
    session.once('close', () => this.#closed());
  }

  #followStream(): void {
    const stream = this.#stream;
    stream.on('response', (headers) => {
      this.#status = outcomeOfHeaders(headers) ?? outcomeOfResponse(headers);
      // Nobody needs the rest of a page of HTML.
      if (this.#status !== undefined) this.#end(this.#status);
    });
    stream.on('trailers', (trailers) => {
      this.#status = outcomeOfHeaders(trailers);
      this.#endWhenAllRead();
    });
    stream.on('data', (chunk: Buffer) => {
      if (this.#ended) return;
      this.#freeBefore(chunk);
      this.#options.onData(chunk);
    });
    stream.on('end', () => {
      this.#allRead = true;
      this.#endWhenAllRead();
    });
    stream.on('error', (error) => {
      // Those that tell of a reset say less than its code.
      if (!('code' in error) || error.code !== 'ERR_HTTP2_STREAM_ERROR') this.#error ??= error.cause ?? error;
    });
    stream.once('close', () => this.#closed());
  }

  /**
   * Each read of the socket is a buffer of its own, of up to 64 KiB, and its DATA frames are views of it, handed on in order: with the first
   * chunk of another one it is of no more use, and is given back at once. Left to the collector, they were a third of the CPU of a
   * watch, and tens of megabytes.
   */
  #freeBefore({ buffer }: Buffer): void {
    const before = this.#readInto;
    if (before === buffer) return;
    this.#readInto = buffer;
    if (before instanceof ArrayBuffer) before.transfer(0);
  }

  #endWhenAllRead(): void {
    if (this.#allRead && this.#status !== undefined) this.#end(this.#status);
  }

  /** The stream is over, or its connection. Node says CANCEL of a stream whose connection went, so that decides first. */
  #closed(): void {
    if (this.#ended) return;
    const isLost = this.#error !== undefined || this.#session.closed || this.#session.destroyed;
    if (!isLost) this.#end(this.#status ?? outcomeOfReset(this.#stream.rstCode ?? constants.NGHTTP2_NO_ERROR));
    else this.#end(outcomeOfLoss(this.#goaway ?? this.#error));
  }

  #connectTimedOut(): void {
    this.#end(outcomeOfLoss(`connect ETIMEDOUT: no connection within ${this.#options.connectTimeoutMs} ms`));
  }

  #pingLater(): void {
    this.#pingTimer = setTimeout(() => {
      this.#pingTimer = setTimeout(() => this.#end(outcomeOfLoss('no answer to a ping')), KEEPALIVE_TIMEOUT_MS);
      this.#session.ping((error) => {
        if (this.#ended || error !== null) return;
        clearTimeout(this.#pingTimer);
        this.#pingLater();
      });
    }, KEEPALIVE_TIME_MS);
  }

  #end(outcome: CallStatus): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#pingTimer);
    this.#session.destroy();
    // A session that is closing already would wait for a server that may never close its side.
    this.#socket.destroy();
    this.#options.onEnd(outcome);
  }
}

function prefixed(message: Buffer): Buffer {
  const bytes = Buffer.alloc(PREFIX_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, PREFIX_BYTES);
  return bytes;
}
