import { startEtcd, type TempDir } from '@etcd-ops/test-kit';
import { runCli, type CliResult } from '../failures/run-cli.ts';

export interface HashKV {
  hash: number;
  revision: number;
  compactRevision: number;
}

export interface RecordedDeletions {
  version: string;
  base: string;
  head: string;
  dataDir: string;
  /** What the living etcd says of its newest revision, and of one before. */
  newest: HashKV;
  older: HashKV;
  /** The last revisions before what was deleted. */
  beforeKey: number;
  beforePrefix: number;
  /** What `inspect` says of the data directory while etcd runs. */
  whileRunning: CliResult;
}

/** Two snapshots of one etcd; between them a key and most of a prefix are deleted, and a lease is used. */
export async function recordDeletions(version: string, scratch: TempDir): Promise<RecordedDeletions> {
  const old = version.startsWith('3.4');
  await using etcd = await startEtcd({
    version,
    dataDir: scratch.file('data'),
    // A v2 store with users' keys in a raft snapshot: 3.4 is the last that offers its API with a flag that works.
    extraFlags: old ? ['--enable-v2', '--snapshot-count=10'] : [],
  });
  const revisionOf = (answer: string): number => {
    return (JSON.parse(answer) as { header: { revision: number } }).header.revision;
  };
  const hash = async (...flags: string[]): Promise<HashKV> => {
    const [one] = JSON.parse(await etcd.etcdctl('endpoint', 'hashkv', '-w', 'json', ...flags)) as [
      { HashKV: { hash: number; compact_revision: number; header: { revision: number } } },
    ];
    const { hash: value, compact_revision: compactRevision, header } = one.HashKV;
    return { hash: value, revision: header.revision, compactRevision };
  };
  if (old) {
    const body = new URLSearchParams({ value: 'x' });
    const response = await fetch(`${etcd.endpoint}/v2/keys/old/key`, { method: 'PUT', body });
    if (response.status !== 201) throw new Error(`the v2 API answered ${response.status}`);
  }
  for (let index = 0; index < 6; index++) await etcd.etcdctl('put', `pods/${index}`, 'value');
  await etcd.etcdctl('put', 'one', '1');
  const compactAt = revisionOf(await etcd.etcdctl('put', 'one', '2', '-w', 'json'));
  await etcd.etcdctl('compact', String(compactAt - 1), '--physical');
  const base = scratch.file('base.db');
  await etcd.etcdctl('snapshot', 'save', base);
  const lease = /lease (\w+) granted/.exec(await etcd.etcdctl('lease', 'grant', '600'))![1]!;
  await etcd.etcdctl('put', 'leased', 'x', `--lease=${lease}`);
  const beforeKey = revisionOf(await etcd.etcdctl('del', 'one', '-w', 'json')) - 1;
  const beforePrefix = revisionOf(await etcd.etcdctl('del', 'pods/', '--prefix', '-w', 'json')) - 1;
  await etcd.etcdctl('put', 'after', 'all');
  const head = scratch.file('head.db');
  await etcd.etcdctl('snapshot', 'save', head);
  const newest = await hash();
  const older = await hash(`--rev=${beforePrefix}`);
  const whileRunning = await runCli(['inspect', scratch.file('data')]);
  await etcd.stop();
  // The directory stays; etcd itself is gone.
  return {
    ...{ version, base, head, dataDir: scratch.file('data'), newest, beforeKey, beforePrefix, whileRunning },
    older: { ...older, revision: beforePrefix },
  };
}
