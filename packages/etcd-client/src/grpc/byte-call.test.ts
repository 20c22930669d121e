import { once } from 'node:events';
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { eventually } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { outcomeOfLoss } from './byte-outcome.ts';
import { ByteCall, type ByteCallOptions } from './byte-call.ts';
import { FLOW_CONTROL_WINDOW_BYTES } from './channel-options.ts';
import type { CallStatus } from './etcd-failure.ts';

const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

/** A server whose one call is `answer`. */
async function serve(answer: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void) {
  const server = createServer();
  const seen = { headers: {} as Record<string, unknown>, body: Buffer.alloc(0), sockets: new Set<Socket>() };
  server.on('connection', (socket: Socket) => {
    seen.sockets.add(socket);
    socket.on('close', () => seen.sockets.delete(socket)).on('error', () => undefined);
  });
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, headers) => {
    seen.headers = headers;
    stream.on('error', () => undefined).on('data', (chunk: Buffer) => (seen.body = Buffer.concat([seen.body, chunk])));
    if (stream.session !== undefined) answer(stream, stream.session as ServerHttp2Session);
  });
  const port = await listen(server);
  return { port, seen, [Symbol.asyncDispose]: async () => await close(server) };
}

async function listen(server: Http2Server | Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Http2Server | Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

function open(port: number, options: Partial<ByteCallOptions> & { host?: string } = {}) {
  const chunks: Buffer[] = [];
  const ends: CallStatus[] = [];
  const target = `${options.host ?? '127.0.0.1'}:${port}`;
  const call = new ByteCall({
    address: { endpoint: target, target, secure: false },
    tls: { material: undefined, verify: true },
    connectTimeoutMs: 30_000,
    path: '/service/Method',
    token: undefined,
    request: Buffer.from('ask'),
    onData: (chunk) => void chunks.push(chunk),
    onEnd: (outcome) => void ends.push(outcome),
    ...options,
  });
  return { call, chunks, ended: async () => (await eventually(() => ends.length === 1 && ends))[0]!, ends };
}

const respond = (stream: ServerHttp2Stream, trailers: Record<string, string>, body = 'body') => {
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
};

test('a call as etcd expects it, and its answer', async () => {
  await using server = await serve((stream) => respond(stream, { 'grpc-status': '0' }));
  const { chunks, ended, ends } = open(server.port, { token: 'a.token' });
  expect(await ended()).toEqual({ code: status.OK, details: '' });
  expect(Buffer.concat(chunks).toString()).toBe('body');
  expect(server.seen.headers).toMatchObject({
    ':method': 'POST',
    ':path': '/service/Method',
    ':authority': `127.0.0.1:${server.port}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    token: 'a.token',
  });
  expect(server.seen.body).toEqual(Buffer.from('\0\0\0\0\x03ask', 'latin1'));
  await eventually(() => server.seen.sockets.size === 0);
  expect(ends).toHaveLength(1);
});

test.each<[string, (stream: ServerHttp2Stream, session: ServerHttp2Session) => void, status, string]>([
  [
    'trailers with a message',
    (stream) => respond(stream, { 'grpc-status': '2', 'grpc-message': 'auth: 100%25 f%C3%BCr nichts' }),
    status.UNKNOWN,
    'auth: 100% für nichts',
  ],
  [
    'a message that is badly encoded',
    (stream) => respond(stream, { 'grpc-status': '14', 'grpc-message': '100% wrong' }),
    status.UNAVAILABLE,
    '100% wrong',
  ],
  ['a status that is none', (stream) => respond(stream, { 'grpc-status': '17' }), status.UNKNOWN, '17 is no status'],
  [
    'headers that are all there is',
    (stream) => stream.respond({ ...GRPC, 'grpc-status': '16', 'grpc-message': 'go' }, { endStream: true }),
    status.UNAUTHENTICATED,
    'go',
  ],
  ['trailers without a status', (stream) => respond(stream, {}), status.INTERNAL, 'without a status'],
  [
    'an end without trailers',
    (stream) => {
      stream.respond(GRPC);
      stream.end('body');
    },
    status.INTERNAL,
    'without a status',
  ],
  [
    'a page of a proxy',
    (stream) => {
      stream.respond({ ':status': 503, 'content-type': 'text/html' });
      stream.end('<html>');
    },
    status.UNAVAILABLE,
    'HTTP status 503',
  ],
  [
    'another server',
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'text/plain' });
      stream.end('hello');
    },
    status.UNKNOWN,
    'text/plain',
  ],
  ['a refusal', (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM), status.UNAVAILABLE, 'takes no further'],
  [
    'a reset in the middle',
    (stream) => {
      stream.respond(GRPC);
      stream.write('bo');
      stream.destroy(new Error('broken'));
    },
    status.INTERNAL,
    'internal error (HTTP/2 code 2)',
  ],
  ['a cancel', (stream) => stream.close(constants.NGHTTP2_CANCEL), status.CANCELLED, 'the server cancelled'],
  [
    'GOAWAY',
    (_, session) => session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings')),
    status.UNAVAILABLE,
    'closed the connection (HTTP/2 code 11, too_many_pings)',
  ],
])('%s', async (_, answer, code, details) => {
  await using server = await serve(answer);
  const { ended, ends } = open(server.port);
  expect(await ended()).toEqual({ code, details: expect.stringContaining(details) });
  await eventually(() => server.seen.sockets.size === 0);
  expect(ends).toHaveLength(1);
});

test('a connection that is reset, refused, of an unknown name, or never made', async () => {
  const silent = createTcpServer((socket) => socket.on('error', () => undefined));
  const port = await listen(silent);
  const sockets: Socket[] = [];
  silent.on('connection', (socket: Socket) => sockets.push(socket.resume()));
  const cut = open(port);
  await eventually(() => sockets.length === 1);
  sockets[0]!.resetAndDestroy();
  expect(await cut.ended()).toEqual({ code: status.UNAVAILABLE, details: expect.stringContaining('ECONNRESET') });
  // TCP answers, TLS does not.
  const target = `127.0.0.1:${port}`;
  const handshake = open(port, { address: { endpoint: target, target, secure: true }, connectTimeoutMs: 50 });
  expect(await handshake.ended()).toEqual({ code: status.UNAVAILABLE, details: expect.stringContaining('ETIMEDOUT') });
  await eventually(() => sockets.every((socket) => socket.closed));
  await close(silent);
  const refused = open(port);
  expect(await refused.ended()).toEqual({ code: status.UNAVAILABLE, details: expect.stringContaining('ECONNREFUSED') });
  const unknown = open(port, { host: 'nowhere.invalid' });
  expect(await unknown.ended()).toEqual({ code: status.UNAVAILABLE, details: expect.stringMatching(/ENOTFOUND|EAI_/) });
});

test('an address of IPv6', async (context) => {
  const server = createServer();
  server.on('stream', (stream) => respond(stream, { 'grpc-status': '0' }));
  const port = await listen(server, '::1').catch(() => undefined);
  if (port === undefined) return context.skip('no IPv6');
  const { ended, chunks } = open(port, { host: '[::1]' });
  expect(await ended()).toEqual({ code: status.OK, details: '' });
  expect(Buffer.concat(chunks).toString()).toBe('body');
  await close(server);
});

test('a name of several addresses tells of each that failed', () => {
  const failures = [new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')];
  expect(outcomeOfLoss(new AggregateError(failures))).toEqual({
    code: status.UNAVAILABLE,
    details: 'connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
  });
});

test('a reader that pauses holds back the server', async () => {
  const piece = Buffer.alloc(64 * 1024);
  const taken = { bytes: 0 };
  await using server = await serve((stream) => {
    stream.respond(GRPC);
    const write = (): void => {
      stream.write(piece, (error) => {
        if (error !== null && error !== undefined) return;
        taken.bytes += piece.length;
        write();
      });
    };
    write();
  });
  const got = { bytes: 0 };
  const { call, ended } = open(server.port, {
    onData: (chunk) => {
      if (got.bytes === 0) call.pause();
      got.bytes += chunk.length;
    },
  });
  // Until nothing moves any more: a window's worth is on its way, and what the server itself holds.
  let before = -1;
  await eventually(
    () => {
      const isStill = got.bytes > 0 && taken.bytes === before;
      before = taken.bytes;
      return isStill;
    },
    { intervalMs: 300, timeoutMs: 60_000 },
  );
  expect(taken.bytes).toBeLessThanOrEqual(FLOW_CONTROL_WINDOW_BYTES + piece.length);
  call.resume();
  await eventually(() => got.bytes > 4 * FLOW_CONTROL_WINDOW_BYTES, { timeoutMs: 60_000 });
  call.cancel();
  expect(await ended()).toEqual({ code: status.CANCELLED, details: 'cancelled here' });
  await eventually(() => server.seen.sockets.size === 0);
});
