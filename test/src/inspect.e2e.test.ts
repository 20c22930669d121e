import { readFileSync, writeFileSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { undescribedPaths } from '@etcd-ops/cli';
import { BoltFile, compressBlock, LocalStore, readLeases, readStoreInfo } from '@etcd-ops/core';
import { etcdVersions, findBinary, missingBinary, runEtcdutl, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectFailure, runCli } from './failures/run-cli.ts';
import { recordDeletions, type RecordedDeletions } from './inspect/recorded-deletions.ts';
import { putDeltas, putFull } from './restore/recorded-history.ts';

const VERSIONS = ['3.4', '3.5'];

const versionOf = (line: string): string | undefined => etcdVersions().find((one) => one.startsWith(line));

const THERE = VERSIONS.filter((line) => versionOf(line) !== undefined);

test.for(VERSIONS)('etcd %s for these tests is there', (line, context) => {
  if (versionOf(line) === undefined) context.skip(missingBinary('etcd', line));
  expect(versionOf(line)).toContain(line);
});

describe.each(THERE)('inspect, hash and restore with etcd %s', (release) => {
  const version = versionOf(release)!;
  let scratch: TempDir;
  let made: RecordedDeletions;
  let bucket: string;

  beforeAll(async () => {
    scratch = tempDir();
    made = await recordDeletions(version, scratch);
    bucket = scratch.file('bak');
    const store = new LocalStore(bucket);
    const after = await putFull(store, made.base, { etcdVersion: version });
    await putDeltas(store, made.head, { after, revisionsEach: 2 });
  });
  afterAll(async () => await scratch?.remove());

  async function inspect(path: string): Promise<Record<string, unknown>> {
    const { exitCode, stdout, stderr } = await runCli(['inspect', path, '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document['sound']).toBe(true);
    expect(undescribedPaths('inspect', document)).toEqual([]);
    return document;
  }

  async function restored(name: string, ...args: string[]): Promise<{ report: Record<string, unknown>; db: string }> {
    const dataDir = scratch.file(name);
    const words = [
      'restore',
      '--bucket',
      bucket,
      '--cluster-name',
      'prod',
      '--data-dir',
      dataDir,
      '-o',
      'json',
      ...args,
    ];
    const { exitCode, stdout, stderr } = await runCli(words);
    expect(exitCode, stderr).toBe(0);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(undescribedPaths('restore', report)).toEqual([]);
    return { report, db: join(dataDir, 'member', 'snap', 'db') };
  }

  test('hash says what the living etcd said, at its newest revision and at an older one', async () => {
    for (const expected of [made.newest, made.older]) {
      const { stdout, stderr } = await runCli([
        'hash',
        made.head,
        '--revision',
        String(expected.revision),
        '-o',
        'json',
      ]);
      expect(JSON.parse(stdout || stderr)).toEqual({ path: made.head, ...expected });
    }
    const refused = await runCli(['hash', made.head, '--revision', '1']);
    expectFailure(refused, { code: 'REVISION_NOT_RESTORABLE', exitCode: 5, says: /holds the revisions/ });
  });

  test('a snapshot, plain and compressed, and a copied db', async () => {
    const { hash, revision, compactRevision } = made.newest;
    const expected = {
      kind: 'full',
      revision,
      compactRevision,
      hashKv: { hash, revision, compactRevision },
      leases: 1,
    };
    expect(await inspect(made.head)).toMatchObject({
      ...expected,
      codec: 'none',
      trailingHash: 'right',
      warnings: [],
    });
    const packed = scratch.file('head.db.gz');
    await writeFile(packed, compressBlock('gzip', await readFile(made.head)));
    expect(await inspect(packed)).toMatchObject({ ...expected, codec: 'gzip', trailingHash: 'right' });
    const copied = await inspect(join(made.dataDir, 'member', 'snap', 'db'));
    expect(copied).toMatchObject({ ...expected, trailingHash: 'absent', members: [{ name: 'm1' }] });
  });

  test('what lies in a repository: full with manifest, manifest, delta', async () => {
    const files = (await readdir(bucket, { recursive: true })).map((name) => join(bucket, name));
    const full = files.find((name) => name.endsWith('.db'))!;
    expect(await inspect(full)).toMatchObject({ kind: 'full', manifest: 'fits', cluster: 'prod', timeline: 1 });
    const manifest = await runCli(['inspect', `${full}.json`, '-o', 'json']);
    expect(JSON.parse(manifest.stdout)).toMatchObject({ kind: 'manifest', sound: true, full: 'present' });
    const deltas = files.filter((name) => name.endsWith('.delta')).toSorted();
    expect(await inspect(deltas.at(-1)!)).toMatchObject({ kind: 'delta', lastRevision: made.newest.revision });
    const damaged = readFileSync(deltas[0]!);
    damaged[damaged.length >> 1]! ^= 1;
    writeFileSync(scratch.file('damaged.delta'), damaged);
    expectFailure(await runCli(['inspect', scratch.file('damaged.delta')]), { code: 'DELTA_DAMAGED', exitCode: 4 });
  });

  test('the data directory, its log and its raft snapshot; v2 data is told', async () => {
    const directory = await inspect(made.dataDir);
    expect(directory).toMatchObject({ kind: 'data directory', revision: made.newest.revision, wal: { segments: 1 } });
    const walDir = join(made.dataDir, 'member', 'wal');
    const wal = join(
      walDir,
      (await readdir(walDir)).find((name) => name.endsWith('.wal'))!,
    );
    const log = await inspect(wal);
    expect(log).toMatchObject({ kind: 'wal', memberId: directory['memberId'], clusterId: directory['clusterId'] });
    const old = made.version.startsWith('3.4');
    expect(log['v2Writes']).toBe(old ? 1 : 0);
    const snaps = (await readdir(join(made.dataDir, 'member', 'snap'))).filter((name) => name.endsWith('.snap'));
    expect(snaps.length > 0).toBe(old);
    if (!old) return expect(directory['warnings']).toEqual([]);
    const snap = await inspect(join(made.dataDir, 'member', 'snap', snaps.toSorted().at(-1)!));
    expect(snap).toMatchObject({ kind: 'raft snapshot', v2Keys: 1, v2Examples: ['/old/key'] });
    expect(JSON.stringify(directory['warnings'])).toContain('The v2 store holds 1 key of users (/old/key)');
  });

  test('damage is told with exit code 4, in a snapshot, a log and a data directory', async () => {
    const bytes = await readFile(made.head);
    bytes[bytes.length >> 1]! ^= 0xff;
    await writeFile(scratch.file('damaged.db'), bytes);
    const damaged = { code: 'SNAPSHOT_HASH_MISMATCH', exitCode: 4 };
    expectFailure(await runCli(['inspect', scratch.file('damaged.db')]), damaged);
    const result = await runCli(['inspect', scratch.file('damaged.db'), '-o', 'json']);
    expect(JSON.parse(result.stderr)).toMatchObject({ error: damaged });
    expect(JSON.parse(result.stdout)).toMatchObject({ sound: false, damages: [{ code: 'SNAPSHOT_HASH_MISMATCH' }] });

    const walDir = join(made.dataDir, 'member', 'wal');
    const wal = await readFile(
      join(
        walDir,
        (await readdir(walDir)).find((name) => name.endsWith('.wal'))!,
      ),
    );
    wal[100]! ^= 1;
    await writeFile(scratch.file('damaged.wal'), wal);
    expectFailure(await runCli(['inspect', scratch.file('damaged.wal')]), { code: 'WAL_DAMAGED', exitCode: 4 });

    const copy = scratch.file('copy');
    const db = join(copy, 'member', 'snap', 'db');
    await cp(made.dataDir, copy, { recursive: true });
    await writeFile(db, damageRoot(await readFile(db), db));
    expectFailure(await runCli(['inspect', copy]), { code: 'BOLT_DAMAGED', exitCode: 4 });
    await rm(db);
    expectFailure(await runCli(['inspect', copy]), { code: 'DATA_DIR_BROKEN', exitCode: 4, says: /db is missing/ });
  });

  test('what cannot be inspected is refused', async () => {
    expectFailure(await runCli(['inspect', scratch.path]), { code: 'DATA_DIR_FOREIGN', exitCode: 7 });
    expectFailure(await runCli(['inspect', scratch.file('nowhere')]), { code: 'STORE_NOT_FOUND', exitCode: 9 });
    expectFailure(made.whileRunning, { code: 'DATA_DIR_IN_USE', exitCode: 7 });
  });

  test('restore --before-delete and --before-delete-prefix, from the repository and from a file', async () => {
    const key = await restored('before-key', '--before-delete', 'one');
    expect(key.report).toMatchObject({ revision: made.beforeKey, beforeDelete: { key: 'one', timeline: 1 } });
    const prefix = await restored('before-prefix', '--before-delete-prefix', 'pods/', '--plan');
    const beforeDelete = { prefix: 'pods/', revision: made.beforePrefix, keysBefore: 6, keysAfter: 0 };
    expect(prefix.report).toMatchObject({ revision: made.beforePrefix, beforeDelete });
    const file = await restored('before-file', '--from-file', made.head, '--before-delete', 'one');
    expect(file.report).toMatchObject({ revision: made.beforeKey, full: { cut: true } });
    const absent = ['--bucket', bucket, '--cluster-name', 'prod', '--before-delete', 'never-there'];
    expectFailure(await runCli(['restore', ...absent, '--plan']), {
      code: 'REVISION_NOT_RESTORABLE',
      exitCode: 5,
      says: /No deletion of/,
    });
  });

  test('--leases drop and --safe-bump', async () => {
    const { report, db } = await restored('dropped', '--leases', 'drop', '--clear-alarms', '--safe-bump');
    expect(report).toMatchObject({ revision: made.newest.revision, leases: { kept: 0, fromDeltas: 0, dropped: 1 } });
    const { revision, highestCaptured, explanation } = report['safeBump'] as Record<string, number | string>;
    expect(highestCaptured).toBe(made.newest.revision);
    expect(explanation).toContain(`no watcher can have passed ${revision}`);
    using file = BoltFile.open(db);
    expect(readLeases(file).size).toBe(0);
    expect(readStoreInfo(file)).toMatchObject({ revision, scheduledCompact: revision });
    const table = await runCli(['restore', '--bucket', bucket, '--cluster-name', 'prod', '--plan', '--safe-bump']);
    expect(table.stdout).toMatch(/why so far +Revision \d+ is the highest that was ever captured/);
  });

  test('--bump-revision --mark-compacted do what they do in etcdutl', async (context) => {
    if (findBinary('etcdutl', release) === undefined) context.skip(missingBinary('etcdutl', release));
    const flags = ['--bump-revision=1000000', '--mark-compacted'];
    const official = scratch.file('official');
    await runEtcdutl({ version: release }, 'snapshot', 'restore', made.head, ...flags, '--data-dir', official);
    const { report, db } = await restored('bumped', '--from-file', made.head, ...flags);
    expect(report['bumped']).toEqual({ by: 1_000_000, revision: made.newest.revision + 1_000_000 });
    const facts = [join(official, 'member', 'snap', 'db'), db].map((path) => {
      using file = BoltFile.open(path);
      const { revision, compactRevision, scheduledCompact, lastRow } = readStoreInfo(file);
      return { revision, compactRevision, scheduledCompact, lastRow };
    });
    expect(facts[1]).toEqual(facts[0]);
    const alone = await runCli(['restore', '--from-file', made.head, '--bump-revision=5', '--plan']);
    expectFailure(alone, { code: 'USAGE', exitCode: 2, says: /needs --mark-compacted/ });
  });
});

/** The root of all buckets is no page any more; those of few rows are inline. */
function damageRoot(bytes: Buffer, path: string): Buffer {
  using file = BoltFile.open(path);
  const start = file.meta.rootPage * file.pageSize;
  return bytes.fill(0xff, start, start + file.pageSize);
}
