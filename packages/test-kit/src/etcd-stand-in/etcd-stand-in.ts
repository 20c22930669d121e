import { tempDir, type TempDir } from '@etcd-ops/local-servers';
import { once } from 'node:events';
import {
  createServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Refusal, StandInCluster } from './cluster.ts';
import { frame, Unframer } from './proto.ts';
import { StandInRows } from './rows.ts';

export interface EtcdStandInOptions {
  clusters: number;
  /** Rows that each has in the beginning; default 100. */
  rows?: number;
  /** Default 256. */
  valueBytes?: number;
}

/** Network 127.0.0.0/8 is one machine on Linux: each cluster has an address there, and all share one port. */
const HOSTS_MAX = 250 * 250;
const SNAPSHOT = 'Maintenance/Snapshot';
const WATCH = 'Watch/Watch';

/**
 * A thousand clusters in one process, as far as backups see them: what they answer follows from their revision, which `put` moves. It
 * stands in where only the number of clusters matters; what etcd does is for a real one to show.
 */
export class EtcdStandIn implements AsyncDisposable {
  readonly clusters: readonly StandInCluster[];
  /** Calls by method: `KV/Range`. */
  readonly calls = new Map<string, number>();
  readonly #callsOf: Uint32Array;
  readonly #server: Http2Server;
  readonly #sessions = new Map<Http2Session, number>();
  readonly #dir: TempDir;
  #port = 0;

  private constructor(options: EtcdStandInOptions) {
    if (options.clusters > HOSTS_MAX) throw new RangeError(`${options.clusters} clusters are more than ${HOSTS_MAX}`);
    this.#dir = tempDir('etcd-ops-stand-in-');
    const keys = options.rows ?? 100;
    const rows = new StandInRows({
      keys,
      valueBytes: options.valueBytes ?? 256,
      scratch: (name) => this.#dir.file(name),
    });
    this.clusters = Array.from({ length: options.clusters }, (_, index) => new StandInCluster(index, keys + 1, rows));
    this.#callsOf = new Uint32Array(options.clusters);
    this.#server = createServer();
    this.#server.on('session', (session) => this.#accept(session));
    this.#server.on('stream', (stream, headers) => this.#serve(stream, String(headers[':path'])));
  }

  static async start(options: EtcdStandInOptions): Promise<EtcdStandIn> {
    const standIn = new EtcdStandIn(options);
    const server = standIn.#server;
    // Addresses of other interfaces are refused where a connection comes in.
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    standIn.#port = (server.address() as AddressInfo).port;
    return standIn;
  }

  endpoint(index: number): string {
    return `http://127.1.${Math.floor(index / 250)}.${(index % 250) + 1}:${this.#port}`;
  }

  /** HTTP/2 connections that are open. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** The most calls that one cluster got. */
  get callsMax(): number {
    return this.#callsOf.reduce((most, calls) => Math.max(most, calls), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions.keys()) session.destroy();
    await closed;
    await this.#dir.remove();
  }

  #accept(session: ServerHttp2Session): void {
    const index = indexOf(session.socket.localAddress ?? '');
    if (index === undefined || this.clusters[index] === undefined) {
      session.destroy();
      return;
    }
    this.#sessions.set(session, index);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', () => {});
  }

  #serve(stream: ServerHttp2Stream, path: string): void {
    const method = path.replace(/^\/etcdserverpb\./, '');
    const index = stream.session === undefined ? undefined : this.#sessions.get(stream.session);
    if (index === undefined) {
      stream.destroy();
      return;
    }
    const cluster = this.clusters[index]!;
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    this.#callsOf[index]!++;
    stream.on('error', () => {});
    if (method === WATCH) return serveWatch(stream, cluster);
    const unframer = new Unframer();
    stream.on('data', (chunk: Buffer) => {
      for (const request of unframer.push(chunk)) {
        const work = method === SNAPSHOT ? sendSnapshot(stream, cluster) : sendAnswer(stream, cluster, method, request);
        work.catch((error: unknown) => refuse(stream, error));
      }
    });
  }
}

function indexOf(address: string): number | undefined {
  const match = /127\.1\.(?<high>\d+)\.(?<low>\d+)$/.exec(address);
  return match?.groups === undefined ? undefined : Number(match.groups['high']) * 250 + Number(match.groups['low']) - 1;
}

function begin(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
}

function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed) return;
  if (stream.headersSent || !(error instanceof Refusal)) {
    stream.destroy();
    return;
  }
  const headers = { 'grpc-status': String(error.status), 'grpc-message': error.message };
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { endStream: true });
}

async function sendAnswer(
  stream: ServerHttp2Stream,
  cluster: StandInCluster,
  method: string,
  request: Buffer,
): Promise<void> {
  const answer = await cluster.answer(method, request);
  if (stream.destroyed) return;
  begin(stream);
  stream.end(frame(answer));
}

async function sendSnapshot(stream: ServerHttp2Stream, cluster: StandInCluster): Promise<void> {
  begin(stream);
  for await (const message of cluster.snapshot()) {
    if (stream.destroyed) return;
    if (!stream.write(frame(message))) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
  }
  stream.end();
}

function serveWatch(stream: ServerHttp2Stream, cluster: StandInCluster): void {
  begin(stream);
  const ends: (() => void)[] = [];
  const unframer = new Unframer();
  const send = (message: Buffer): void => {
    if (!stream.destroyed) stream.write(frame(message));
  };
  stream.on('data', (chunk: Buffer) => {
    for (const request of unframer.push(chunk)) {
      const end = cluster.watchRequest(request, send);
      if (end !== undefined) ends.push(end);
    }
  });
  stream.on('close', () => ends.forEach((end) => end()));
  stream.on('end', () => stream.end());
}
