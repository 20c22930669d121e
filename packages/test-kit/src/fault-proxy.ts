import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** What the proxy does to bytes; may be changed at any time, also for open connections. */
export interface Faults {
  /** Each chunk is held back this long, in both directions. */
  delayMs: number;
  /** At most this many bytes a second and direction; 0 = no limit. */
  bytesPerSecondMax: number;
  /** Connections stay open and nothing passes: a network that swallows packets. */
  blackHole: boolean;
  /** New connections are closed at once. */
  refuse: boolean;
}

export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT`: for an endpoint. */
  readonly url: string;
  readonly faults: Faults;
  readonly connectionCount: number;
  /** Bytes that came from the target so far. */
  readonly bytesDown: number;
  /** Resets every open connection. */
  cut(): void;
  /** Ends every open connection's way down (target to client); the way up stays open. */
  halfClose(): void;
  close(): Promise<void>;
}

interface Link {
  client: Socket;
  target: Socket;
}

/** A TCP proxy on 127.0.0.1 in front of `target` (a URL, or host and port) that breaks connections on demand. */
export async function faultProxy(target: string | { host: string; port: number }): Promise<FaultProxy> {
  const address = typeof target === 'string' ? parseTarget(target) : target;
  const faults: Faults = { delayMs: 0, bytesPerSecondMax: 0, blackHole: false, refuse: false };
  const links = new Set<Link>();
  const counters = { down: 0 };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (faults.refuse) {
      client.resetAndDestroy();
      return;
    }
    open({ client, target: connect({ ...address, allowHalfOpen: true }) });
  });

  function open(link: Link): void {
    links.add(link);
    const end = () => {
      links.delete(link);
      link.client.destroy();
      link.target.destroy();
    };
    for (const socket of [link.client, link.target]) socket.setNoDelay(true).on('error', end).on('close', end);
    link.client.pipe(faultStream(faults, () => {})).pipe(link.target);
    link.target.pipe(faultStream(faults, (bytes) => (counters.down += bytes))).pipe(link.client);
  }

  const port = await listen(server);
  const close = async () => {
    for (const link of links) link.client.destroy();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    faults,
    get connectionCount() {
      return links.size;
    },
    get bytesDown() {
      return counters.down;
    },
    cut: () => {
      for (const link of links) {
        link.client.resetAndDestroy();
        link.target.destroy();
      }
    },
    halfClose: () => {
      for (const link of links) link.client.end();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function faultStream(faults: Faults, count: (bytes: number) => void): Transform {
  const stream: Transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count(chunk.length);
      void (async () => {
        await holdBack(faults, chunk.length, stream);
        done(null, chunk);
      })();
    },
  });
  return stream.on('error', () => {});
}

async function holdBack(faults: Faults, bytes: number, stream: Transform): Promise<void> {
  if (faults.delayMs > 0) await delay(faults.delayMs);
  if (faults.bytesPerSecondMax > 0) await delay((bytes / faults.bytesPerSecondMax) * 1_000);
  while (faults.blackHole && !stream.destroyed) await delay(10);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

function parseTarget(target: string): { host: string; port: number } {
  const url = new URL(target.includes('://') ? target : `tcp://${target}`);
  return { host: url.hostname, port: Number(url.port) };
}
