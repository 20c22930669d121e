import { LocalStore, openStore, readInventory, readProofs } from '@etcd-ops/core';
import {
  findVersitygw,
  missingServers,
  S3Server,
  startEtcd,
  startVersitygw,
  tempDir,
  type LocalS3Gateway,
  type TempDir,
} from '@etcd-ops/test-kit';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { undescribedPaths } from '@etcd-ops/cli';
import { runCli } from './failures/run-cli.ts';
import { putFull } from './restore/recorded-history.ts';
import { recordSnapshots, storeChain, type RecordedSnapshots } from './restore/recorded-repository.ts';

const reason = missingServers();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

/** A real one where it could be built. */
async function startS3(bucket: string): Promise<LocalS3Gateway> {
  if (findVersitygw() !== undefined) return await startVersitygw([bucket]);
  const account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'the-secret-of-these-tests' };
  const server = await S3Server.start({ accounts: [account], buckets: [bucket] });
  return { endpoint: server.endpoint, ...account, [Symbol.asyncDispose]: async () => await server.close() };
}

interface Report {
  verdict: string;
  restorable: { from: number; to: number }[];
  findings: { kind: string; what: string; why: string; remedy: string }[];
  proofs: {
    verdict: string;
    to: number;
    provenTo?: number;
    comparisons: { with: string; key?: string; outcome: string }[];
  }[];
}

describe.skipIf(reason !== undefined)('etcd-ops verify, merge and compact', { timeout: 180_000 }, () => {
  let scratch: TempDir;
  let snapshots: RecordedSnapshots;
  let deltaKeys: string[];

  beforeAll(async () => {
    scratch = tempDir();
    snapshots = await recordSnapshots(scratch.file('snapshots'));
    const chain = await storeChain(scratch.file('bak'), snapshots, { revisionsEach: 60 });
    deltaKeys = chain.deltaKeys;
    await putFull(chain.store, snapshots.second, { etcdVersion: snapshots.version });
  }, 180_000);
  afterAll(async () => await scratch?.remove());

  async function copyOf(name: string): Promise<string> {
    await cp(scratch.file('bak'), scratch.file(name), { recursive: true });
    return scratch.file(name);
  }

  async function verify(bucket: string, ...args: string[]): Promise<{ exitCode: number | null; report: Report }> {
    const flags = ['--bucket', bucket, '--cluster-name', 'prod', '--temp-dir', scratch.file('tmp'), '-o', 'json'];
    const { exitCode, stdout, stderr } = await runCli(['verify', ...flags, ...args]);
    expect(stdout, stderr).not.toBe('');
    const report = JSON.parse(stdout) as Report;
    expect(undescribedPaths('verify', report)).toEqual([]);
    return { exitCode, report };
  }

  test('at S3, too: sound and proven, and a delta that was changed there is named', async () => {
    await using s3 = await startS3('repositories');
    const keys = scratch.file('keys.json');
    await writeFile(keys, JSON.stringify({ accessKeyID: s3.accessKeyId, secretAccessKey: s3.secretAccessKey }));
    const spec = {
      ...{ provider: 'S3' as const, bucket: 'repositories', endpoint: s3.endpoint, region: 'us-east-1' },
      ...{ forcePathStyle: true, credentials: { file: keys } },
    };
    const place = ['--store-endpoint', s3.endpoint, '--store-region', 'us-east-1', '--store-credentials-file', keys];
    const to = ['--storage-provider', 'S3', '--bucket', 'repositories', ...place].map((flag) =>
      flag.replace(/^--/, '--to-'),
    );
    const copied = await runCli(['copy', '--bucket', scratch.file('bak'), '--cluster-name', 'prod', ...to]);
    expect(copied.exitCode, copied.stderr).toBe(0);
    const there = ['--storage-provider', 'S3', ...place];
    const sound = await verify('repositories', '--prove', ...there);
    expect([sound.exitCode, sound.report.verdict]).toEqual([0, 'sound']);
    expect(sound.report.proofs.map(({ verdict }) => verdict)).toContain('ok');

    const store = await openStore(spec);
    const [key] = deltaKeys;
    const bytes = await store.get(key!);
    bytes[bytes.length >>> 1]! ^= 1;
    await store.put(key!, bytes);
    const damaged = await verify('repositories', ...there);
    expect(damaged.exitCode).toBe(4);
    expect(damaged.report.findings[0]).toMatchObject({ kind: 'damaged', what: key });
  });

  test('a sound repository is sound at every depth, and proven by the next full', async () => {
    for (const depth of [['--quick'], [], ['--prove']]) {
      const { exitCode, report } = await verify(scratch.file('bak'), ...depth);
      expect([exitCode, report.verdict, report.findings.filter(({ kind }) => kind !== 'note')]).toEqual([
        0,
        'sound',
        [],
      ]);
      if (depth[0] === '--prove') expect(report.proofs.map(({ verdict }) => verdict)).toEqual(['ok', 'open']);
    }
  });

  test('a flipped bit in the middle: it is named, and what can still be restored', async () => {
    const bucket = await copyOf('flipped');
    const key = deltaKeys[Math.floor(deltaKeys.length / 2)]!;
    const bytes = await readFile(`${bucket}/${key}`);
    bytes[bytes.length >> 1]! ^= 4;
    await writeFile(`${bucket}/${key}`, bytes);
    expect((await verify(bucket, '--quick')).exitCode).toBe(0);
    const { exitCode, report } = await verify(bucket);
    expect(exitCode).toBe(4);
    expect(report.findings[0]).toMatchObject({ kind: 'damaged', what: key });
    expect(report.restorable.length).toBeGreaterThan(0);
    const text = await runCli([
      'verify',
      '--bucket',
      bucket,
      '--cluster-name',
      'prod',
      '--temp-dir',
      scratch.file('tmp'),
    ]);
    expect(text.exitCode).toBe(4);
    expect(text.stdout).toContain(`damaged: ${key}: `);
    expect(
      (await verify(bucket, '--snapshot', report.restorable.length > 0 ? await newestFull(bucket) : '')).exitCode,
    ).toBe(0);
  });

  async function newestFull(bucket: string): Promise<string> {
    return (await readInventory(new LocalStore(bucket), 'prod')).timelines[0]!.fulls.at(-1)!.key;
  }

  test('--record writes what was proved, and list tells it', async () => {
    const bucket = await copyOf('recorded');
    await verify(bucket, '--prove', '--record');
    const proofs = await readProofs(new LocalStore(bucket), 'prod');
    expect(proofs.proven?.record.verdict).toBe('ok');
    const list = await runCli(['list', '--bucket', bucket, '--cluster-name', 'prod']);
    expect(list.stdout).toMatch(/Restorable to revision [\d,]+, proven to [\d,]+ at .*, a restore takes /);
    const json = await runCli(['list', '--bucket', bucket, '--cluster-name', 'prod', '-o', 'json']);
    expect(undescribedPaths('list', JSON.parse(json.stdout))).toEqual([]);
  });

  test('--against-cluster asks the living cluster', async () => {
    await using etcd = await startEtcd();
    for (let write = 0; write < 30; write++) await etcd.etcdctl('put', `key-${write % 7}`, `value ${write}`);
    const repository = ['--bucket', scratch.file('living'), '--cluster-name', 'prod', '--endpoints', etcd.endpoint];
    const taken = await runCli(['snapshot', '--once', ...repository]);
    expect(taken.exitCode, taken.stderr).toBe(0);
    await etcd.etcdctl('put', 'later', 'value');
    const asked = ['--endpoints', etcd.endpoint, '--against-cluster'];
    const { exitCode, report } = await verify(scratch.file('living'), '--prove', ...asked);
    expect(exitCode).toBe(0);
    const [proof] = report.proofs;
    expect(proof).toMatchObject({ verdict: 'ok', comparisons: [{ with: 'cluster', outcome: 'equal' }] });
    await using other = await startEtcd();
    await other.etcdctl('put', 'a', 'b');
    const wrong = await runCli(
      ['verify', ...repository, '--prove', '--against-cluster', '--endpoints', other.endpoint].toSpliced(5, 2),
    );
    expect(wrong.exitCode).not.toBe(0);
  });

  test('merge makes fewer objects, which prove and restore like those before', async () => {
    const bucket = await copyOf('merged');
    const flags = ['--bucket', bucket, '--cluster-name', 'prod', '-o', 'json'];
    const dry = await runCli(['merge', '--dry-run', ...flags]);
    expect(undescribedPaths('merge', JSON.parse(dry.stdout))).toEqual([]);
    const before = (await readInventory(new LocalStore(bucket), 'prod')).timelines[0]!.deltas.length;
    const done = await runCli(['merge', ...flags]);
    expect(done.exitCode, done.stderr).toBe(0);
    const { windows } = JSON.parse(done.stdout) as { windows: { inputs: number }[] };
    expect(undescribedPaths('merge', JSON.parse(done.stdout))).toEqual([]);
    const store = new LocalStore(bucket);
    expect((await readInventory(store, 'prod')).timelines[0]!.deltas).toHaveLength(before + windows.length);
    await store.delete(deltaKeys);
    const { report } = await verify(bucket, '--prove');
    expect([report.verdict, report.proofs[0]?.verdict]).toEqual(['sound', 'ok']);
    expect((await runCli(['merge', ...flags])).exitCode).toBe(3);
  });

  test('compact --keep-history and --revision leave the history above restorable', async () => {
    const bucket = await copyOf('compacted');
    const flags = ['--bucket', bucket, '--cluster-name', 'prod', '-o', 'json'];
    const kept = await runCli(['compact', '--keep-history', '100', ...flags]);
    expect(kept.exitCode, kept.stderr).toBe(0);
    const one = JSON.parse(kept.stdout) as { revision: number; compactRevision: number; key: string };
    expect(one.compactRevision).toBe(one.revision - 100);
    // What was made of the chain says nothing about it: all that is proven is what was proven before.
    const proved = await verify(bucket, '--prove', '--newest');
    expect(proved.report.proofs.flatMap(({ comparisons }) => comparisons.map(({ key }) => key))).not.toContain(one.key);
    const { proofs } = (await verify(await copyOf('not-compacted'), '--prove', '--newest')).report;
    const highest = (records: Report['proofs']) => Math.max(...records.map(({ provenTo = 0 }) => provenTo));
    expect(highest(proved.report.proofs)).toBe(highest(proofs));
    expect(highest(proofs)).toBeGreaterThan(0);
    const at = await runCli(['compact', '--revision', String(one.revision - 30), ...flags]);
    expect(JSON.parse(at.stdout)).toMatchObject({ compactRevision: one.revision - 30 });
    for (const wrong of [String(one.revision + 1), '1']) {
      expect((await runCli(['compact', '--revision', wrong, ...flags])).exitCode).toBe(5);
    }
    expect((await runCli(['compact', '--keep-history', 'soon', ...flags])).exitCode).toBe(2);
    const store = new LocalStore(bucket);
    // Only the new full is left: every revision that it keeps can be restored, and the one below cannot.
    for (const { key } of (await readInventory(store, 'prod')).timelines[0]!.fulls) {
      if (key !== one.key) await store.delete([key, `${key}.json`]);
    }
    const inventory = await readInventory(store, 'prod');
    expect(inventory.timelines[0]!.fulls).toHaveLength(1);
    const { exitCode } = await verify(bucket, '--prove', '--revision', String(one.compactRevision));
    expect(exitCode).toBe(0);
    const below = await runCli(['verify', ...flags, '--revision', String(one.compactRevision - 1)]);
    expect(below.exitCode).toBe(5);
  });
});
