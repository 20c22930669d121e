import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '@etcd-ops/local-servers';
import { faultProxy } from './fault-proxy.ts';

async function echoServer() {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => void server.close() };
}

async function client(port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const state = { text: '', ended: false, closed: false };
  socket.on('data', (chunk) => (state.text += chunk.toString()));
  socket.on('end', () => (state.ended = true));
  socket.on('error', () => {});
  socket.on('close', () => (state.closed = true));
  await once(socket, 'connect');
  return { socket, state };
}

test('bytes pass, are held back, and pass again', async () => {
  using echo = await echoServer();
  await using proxy = await faultProxy({ host: '127.0.0.1', port: echo.port });
  const { socket, state } = await client(proxy.port);
  socket.write('one');
  await eventually(() => state.text === 'one');
  proxy.faults.blackHole = true;
  socket.write('two');
  await expect(eventually(() => state.text === 'onetwo', { timeoutMs: 100 })).rejects.toThrow('Not within 100 ms');
  proxy.faults.blackHole = false;
  await eventually(() => state.text === 'onetwo');
  expect(proxy.bytesDown).toBe(6);
  socket.destroy();
});

test('cut closes, halfClose ends the way down only, refuse rejects', async () => {
  using echo = await echoServer();
  await using proxy = await faultProxy(`http://127.0.0.1:${echo.port}`);
  const first = await client(proxy.port);
  await eventually(() => proxy.connectionCount === 1);
  proxy.halfClose();
  await eventually(() => first.state.ended);
  expect(first.state.closed).toBe(false);
  const second = await client(proxy.port);
  await eventually(() => proxy.connectionCount === 2);
  proxy.cut();
  await eventually(() => second.state.closed);
  expect(proxy.connectionCount).toBe(0);
  first.socket.destroy();
  proxy.faults.refuse = true;
  const refused = connect(proxy.port, '127.0.0.1');
  refused.on('error', () => {});
  await eventually(() => refused.closed);
});
