import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import { Random } from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { RECEIVE_MESSAGE_BYTES_MAX } from './channel-options.ts';
import type { CallStatus } from './etcd-failure.ts';
import { MessageCall } from './message-call.ts';

/** A server whose one call is `answer`. */
async function serve(answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  const sent: Buffer[] = [];
  const headers: Record<string, unknown>[] = [];
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, received) => {
    headers.push(received);
    stream.on('error', () => undefined).on('data', (chunk: Buffer) => sent.push(Buffer.from(chunk)));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    answer(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    target,
    sent: () => Buffer.concat(sent),
    headers,
    [Symbol.asyncDispose]: async () => await new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

function open(target: string, onMessage: (message: Buffer, call: MessageCall) => void) {
  const ends: CallStatus[] = [];
  const call: MessageCall = new MessageCall({
    address: { endpoint: target, target, secure: false },
    tls: { material: undefined, verify: true },
    connectTimeoutMs: 30_000,
    path: '/service/Method',
    token: undefined,
    requireLeader: true,
    onMessage: (message) => onMessage(message, call),
    onEnd: (outcome) => void ends.push(outcome),
  });
  return { call, ends };
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Writes all of it in pieces of the given sizes, again and again. */
function writePieces(stream: ServerHttp2Stream, bytes: Buffer, sizes: readonly number[]): void {
  let offset = 0;
  for (let index = 0; offset < bytes.length; index++) {
    const size = sizes[index % sizes.length]!;
    stream.write(bytes.subarray(offset, offset + size));
    offset += size;
  }
  stream.end();
}

test.each([1, 2, 3])('messages come whole and in order, however they are cut (seed %i)', async (seed) => {
  const random = new Random(seed);
  const lengths = [0, 1, 5, 300, 16_384, 70_000, 900_000, 300_000, 2, 0, 1_200_000, 40];
  const messages = lengths.map((length) => random.bytes(random.integer(0, length)));
  const sizes = Array.from({ length: 7 }, () => random.integer(1, seed === 1 ? 40_000 : 200_000));
  await using server = await serve((stream) => writePieces(stream, Buffer.concat(messages.map(framed)), sizes));
  const got: Buffer[] = [];
  const { call, ends } = open(server.target, (message) => {
    got.push(Buffer.from(message));
    // At once, or in another turn of the event loop.
    if (random.pick([true, false])) call.readNext();
    else setImmediate(() => call.readNext());
  });
  call.readNext();
  await eventually(() => ends.length > 0, { timeoutMs: 30_000 });
  expect(ends).toEqual([{ code: status.OK, details: '' }]);
  expect(got.map((message) => message.length)).toEqual(messages.map((message) => message.length));
  expect(got.every((message, index) => message.equals(messages[index]!))).toBe(true);
  expect(server.headers[0]).toMatchObject({ hasleader: 'true' });
});

test('a message comes when it is asked for, and never before readNext returns', async () => {
  await using server = await serve((stream) => {
    for (let index = 1; index <= 4; index++) stream.write(framed(Buffer.alloc(index)));
  });
  const lengths: number[] = [];
  const { call, ends } = open(server.target, (message) => void lengths.push(message.length));
  call.send(Buffer.from('ask'));
  call.send(Buffer.from('more'));
  for (let wanted = 1; wanted <= 3; wanted++) {
    call.readNext();
    call.readNext();
    expect(lengths).toHaveLength(wanted - 1);
    await eventually(() => lengths.length === wanted);
  }
  await eventually(() => server.sent().length === 2 * 5 + 7);
  expect(server.sent()).toEqual(Buffer.concat([framed(Buffer.from('ask')), framed(Buffer.from('more'))]));
  // The fourth is here and nobody wants it.
  call.cancel();
  call.readNext();
  expect(ends).toEqual([{ code: status.CANCELLED, details: 'cancelled here' }]);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(lengths).toEqual([1, 2, 3]);
});

test('a reader that ends the call in a message gets no further one', async () => {
  await using server = await serve(
    (stream) => void stream.write(Buffer.concat([1, 2, 3].map(() => framed(Buffer.alloc(9))))),
  );
  let count = 0;
  const { call, ends } = open(server.target, () => {
    count++;
    call.readNext();
    if (count === 2) call.cancel();
  });
  call.readNext();
  await eventually(() => ends.length > 0);
  expect(count).toBe(2);
});

test.each<[string, Buffer, CallStatus]>([
  [
    'is compressed',
    Buffer.from([1, 0, 0, 0, 1, 7]),
    { code: status.INTERNAL, details: expect.stringContaining('compressed') as string },
  ],
  [
    'is too large',
    Buffer.from([0, 0xff, 0xff, 0xff, 0xff]),
    {
      code: status.RESOURCE_EXHAUSTED,
      details: `a message of 4294967295 bytes is larger than max (${RECEIVE_MESSAGE_BYTES_MAX})`,
    },
  ],
])('a message that %s ends the call', async (_, bytes, outcome) => {
  await using server = await serve((stream) => void stream.write(Buffer.concat([framed(Buffer.from('a')), bytes])));
  const got: string[] = [];
  const { call, ends } = open(server.target, (message) => {
    got.push(message.toString());
    call.readNext();
  });
  call.readNext();
  await eventually(() => ends.length > 0);
  expect(ends).toEqual([outcome]);
  expect(got).toEqual(['a']);
});
