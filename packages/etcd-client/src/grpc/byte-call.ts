import { connect, constants, sensitiveHeaders, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import type { EtcdAddress } from '../access.ts';
import { outcomeOfHeaders, outcomeOfLoss, outcomeOfReset, outcomeOfResponse } from './byte-outcome.ts';
import { FLOW_CONTROL_WINDOW_BYTES, KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from './channel-options.ts';
import type { CallStatus } from './etcd-failure.ts';
import { openTcp, openTls, type TlsSocketOptions } from './open-socket.ts';

const PREFIX_BYTES = 5;
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
  /** One message, without gRPC's prefix. */
  request: Buffer;
  /** Bytes of the answer with gRPC's prefixes in it, cut anywhere. */
  onData(chunk: Buffer): void;
  /** Once, after the last byte; code 0 is success. */
  onEnd(outcome: CallStatus): void;
}

/**
 * One gRPC call with one request, whose answer is handed on as the bytes that arrive. It has a connection of its own, which is closed
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
  #ended = false;

  constructor(options: ByteCallOptions) {
    this.#options = options;
    const { address, tls, path, token, request } = options;
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
      ...(token !== undefined && { token, [sensitiveHeaders]: ['token'] }),
    });
    this.#followStream();
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(request.length, 1);
    this.#stream.end(Buffer.concat([prefix, request]));
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
      if (!this.#ended) this.#options.onData(chunk);
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
