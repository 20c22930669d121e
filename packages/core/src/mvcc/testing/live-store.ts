import { copyFile, open, stat } from 'node:fs/promises';
import { runEtcdutl, startEtcd, tempDir, type TempDir, type LocalEtcd } from '@etcd-ops/local-servers';
import type { HashKVResult } from '../hash-kv.ts';

export { distinctEtcdVersions, eventually, missingBinary } from '@etcd-ops/local-servers';

interface Header {
  header: { revision: string };
}

/** A real etcd with just the calls that these tests need, over its JSON gateway. */
export class LiveStore implements AsyncDisposable {
  readonly #etcd: LocalEtcd;
  readonly #files: TempDir = tempDir('etcd-ops-live-store-');
  #snapshots = 0;

  private constructor(etcd: LocalEtcd) {
    this.#etcd = etcd;
  }

  static async start(version: string): Promise<LiveStore> {
    return new LiveStore(await startEtcd({ version }));
  }

  /** Returns the revision of the put. */
  async put(key: string, value: string, lease?: string): Promise<number> {
    return this.#revision('kv/put', { key: encode(key), value: encode(value), ...(lease && { lease }) });
  }

  async deleteRange(from: string, to?: string): Promise<number> {
    return this.#revision('kv/deleterange', { key: encode(from), ...(to && { range_end: encode(to) }) });
  }

  /** One transaction, one revision: puts and deletes of distinct keys. */
  async transact(puts: readonly string[], deletes: readonly string[], value: string): Promise<number> {
    const success = [
      ...puts.map((key) => ({ request_put: { key: encode(key), value: encode(value) } })),
      ...deletes.map((key) => ({ request_delete_range: { key: encode(key) } })),
    ];
    return this.#revision('kv/txn', { success });
  }

  /** Returns the lease id, decimal. */
  async grant(ttlSeconds: number): Promise<string> {
    return (await this.#call<{ ID: string }>('lease/grant', { TTL: ttlSeconds })).ID;
  }

  async revoke(lease: string): Promise<number> {
    return this.#revision('lease/revoke', { ID: lease });
  }

  async leases(): Promise<bigint[]> {
    const answer = await this.#call<{ leases?: { ID: string }[] }>('lease/leases', {});
    return (answer.leases ?? []).map(({ ID }) => BigInt(ID));
  }

  async compact(revision: number, physical = true): Promise<void> {
    await this.#call('kv/compaction', { revision, physical });
  }

  /** What etcd answers now; -1 as compact revision when it never compacted. */
  async hashKV(revision = 0): Promise<HashKVResult> {
    const answer = await this.#etcd.etcdctl('endpoint', 'hashkv', `--rev=${revision}`, '-w', 'json');
    const [{ HashKV }] = JSON.parse(answer) as [{ HashKV: Header & { hash: number; compact_revision?: number } }];
    return {
      hash: HashKV.hash,
      revision: revision || Number(HashKV.header.revision),
      compactRevision: HashKV.compact_revision || -1,
    };
  }

  /** Every key with value, revisions, version and lease, as of a revision. */
  async range(revision = 0): Promise<unknown> {
    const all = encode('\0');
    return (await this.#call<{ kvs?: unknown }>('kv/range', { key: all, range_end: all, revision })).kvs ?? [];
  }

  /** Returns the size of the database file afterwards. */
  async defragment(): Promise<number> {
    await this.#etcd.etcdctl('defrag');
    return (await stat(this.#database)).size;
  }

  /** `etcdctl snapshot save`, with its trailing hash. */
  async snapshot(): Promise<string> {
    const path = this.#files.file(`snapshot-${++this.#snapshots}.db`);
    await this.#etcd.etcdctl('snapshot', 'save', path);
    return path;
  }

  /** Ends etcd, lets `edit` change its database file, and returns a copy of what etcd then starts on. */
  async restartWith(end: 'stop' | 'kill', edit: (path: string) => void = () => {}): Promise<string> {
    await (end === 'stop' ? this.#etcd.stop() : this.#etcd.kill());
    edit(this.#database);
    const path = this.#files.file(`ended-${++this.#snapshots}.db`);
    await copyFile(this.#database, path);
    await this.#etcd.restart();
    return path;
  }

  /** A private copy without the trailing hash, for a BoltWriter. */
  async copyForEditing(snapshot: string): Promise<string> {
    const path = `${snapshot}-copy-${++this.#snapshots}`;
    await copyFile(snapshot, path);
    await using file = await open(path, 'r+');
    await file.truncate((await file.stat()).size - 32);
    return path;
  }

  /** etcd's own consistency check. Throws what it complains about. */
  async officialStatus(path: string): Promise<{ revision: number; totalKey: number }> {
    return JSON.parse(await runEtcdutl({ version: this.#etcd.version }, 'snapshot', 'status', path, '-w', 'json'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#etcd[Symbol.asyncDispose]();
    await this.#files.remove();
  }

  get #database(): string {
    return `${this.#etcd.dataDir}/member/snap/db`;
  }

  async #revision(path: string, body: object): Promise<number> {
    return Number((await this.#call<Header>(path, body)).header.revision);
  }

  async #call<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${this.#etcd.endpoint}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
