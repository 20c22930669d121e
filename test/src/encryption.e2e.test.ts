import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { undescribedPaths } from '@etcd-ops/cli';
import { BoltFile, hashKV, LocalStore, readInventory, type FullEntry } from '@etcd-ops/core';
import { findBinary, missingBinary, startEtcd, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectFailure, runCli, type CliResult } from './failures/run-cli.ts';

/** Keys that protect nothing but these tests. */
const KEYS = {
  old: {
    recipient: 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla',
    identity: 'AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN',
  },
  new: {
    recipient: 'age16a35vhlreum77j9nqttlpv6j24hwply7daucnzsx46ft3wwh04ase6vuzq',
    identity: 'AGE-SECRET-KEY-1L2GNASPP0VMACJEXP50YHP0RKURAGRLDMRPNCXNS7AJ0HNSPPXMS6N72ET',
  },
};
const isThere = findBinary('etcd') !== undefined && findBinary('nats-server') !== undefined;

test('the servers for these tests are there', (context) => {
  if (!isThere) context.skip(missingBinary('etcd'));
  expect(isThere).toBe(true);
});

describe.skipIf(!isThere)('backups under two keys, in several codecs', () => {
  let scratch: TempDir;
  let bucket: string;
  let oldKey: string;
  let newKey: string;
  let witness: { hash: number; revision: number };
  const where = (): string[] => ['--bucket', bucket, '--cluster-name', 'prod'];

  async function ok(args: string[]): Promise<CliResult> {
    const result = await runCli(args);
    expect(result.exitCode, result.stderr).toBe(0);
    for (const { identity } of Object.values(KEYS)) {
      expect(`${result.stdout}${result.stderr}`).not.toContain(identity.slice(20, 40));
    }
    return result;
  }

  beforeAll(async () => {
    scratch = tempDir();
    bucket = scratch.file('bak');
    oldKey = scratch.file('old.key');
    newKey = scratch.file('new.key');
    writeFileSync(oldKey, `# public key: ${KEYS.old.recipient}\n${KEYS.old.identity}\n`, { mode: 0o600 });
    writeFileSync(newKey, `# public key: ${KEYS.new.recipient}\n${KEYS.new.identity}\n`, { mode: 0o600 });
    await using etcd = await startEtcd({});
    const backup = async (...args: string[]): Promise<void> => {
      for (let index = 0; index < 20; index++) {
        await etcd.etcdctl('put', `key-marker-${index}-${args.length}`, `value-marker-${args.join(' ')}`);
      }
      await ok(['snapshot', '--once', '--endpoints', etcd.endpoints.join(','), ...where(), ...args]);
    };
    const old = ['--encryption-recipients', KEYS.old.recipient];
    await backup(...old, '--enable-compression', '--compression-policy', 'zstd', '--compression-level', '3');
    await backup(...old, '--enable-compression');
    await backup('--encryption-recipients', KEYS.new.recipient);
    const status = JSON.parse(await etcd.etcdctl('endpoint', 'hashkv', '-w', 'json')) as [
      { HashKV: { header: { revision: number }; hash: number } },
    ];
    witness = { hash: status[0].HashKV.hash, revision: status[0].HashKV.header.revision };
  }, 120_000);
  afterAll(async () => await scratch?.remove());

  const fulls = async (): Promise<FullEntry[]> =>
    (await readInventory(new LocalStore(bucket), 'prod')).timelines.flatMap((timeline) => timeline.fulls);

  async function restoredHash(dataDir: string): Promise<number> {
    using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
    return (await hashKV(file, { revision: witness.revision })).hash;
  }

  test('nothing of a key or value lies in the store, and one history goes through all of it', async () => {
    const { timelines, foreign, damaged } = await readInventory(new LocalStore(bucket), 'prod');
    expect({ timelines: timelines.length, foreign, damaged }).toEqual({ timelines: 1, foreign: [], damaged: [] });
    const [{ fulls: found, deltas }] = timelines as [(typeof timelines)[number]];
    expect(found.map(({ manifest }) => [manifest.codec, manifest.encryption?.recipients])).toEqual([
      ['zstd', [KEYS.old.recipient.slice(0, 20)]],
      ['gzip', [KEYS.old.recipient.slice(0, 20)]],
      ['none', [KEYS.new.recipient.slice(0, 20)]],
    ]);
    expect(deltas.length).toBeGreaterThan(1);
    const files = readdirSync(join(bucket, 'prod'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const { parentPath, name } of files) {
      const bytes = readFileSync(join(parentPath, name));
      for (const marker of ['key-marker', 'value-marker']) expect(bytes.includes(marker), name).toBe(false);
    }
  });

  test('list, info and plans need no key', async () => {
    await ok(['list', ...where()]);
    await ok(['info', ...where()]);
    await ok(['restore', ...where(), '--data-dir', scratch.file('plan'), '--plan']);
    const [delta] = (await readInventory(new LocalStore(bucket), 'prod')).timelines[0]!.deltas;
    const { stdout } = await ok(['info', basename(delta!.key), ...where(), '-o', 'json']);
    const said = JSON.parse(stdout) as Record<string, unknown>;
    expect(said).toMatchObject({ firstRevision: delta!.first, encryption: { format: 'age' } });
    const opened = await ok(['info', basename(delta!.key), ...where(), '--identity-file', `${oldKey},${newKey}`]);
    expect(opened.stdout).toContain('last revision digest');
  });

  test('without its key, a restore names object, recipient and flag, and leaves nothing behind', async () => {
    const dataDir = scratch.file('locked');
    for (const [identity, needed] of [
      [[], KEYS.new],
      [['--identity-file', oldKey], KEYS.new],
    ] as const) {
      const result = await runCli(['restore', ...where(), '--data-dir', dataDir, ...identity]);
      expectFailure(result, { code: 'IDENTITY_MISSING', exitCode: 13 });
      for (const text of ['.age is encrypted to', needed.recipient.slice(0, 20), '--identity-file']) {
        expect(result.stderr).toContain(text);
      }
    }
    expect(readdirSync(scratch.path).filter((name) => name.startsWith('locked'))).toEqual([]);
  });

  test('with the keys of all times, the newest state and an old one are restored', async () => {
    const newest = scratch.file('newest');
    await ok(['restore', ...where(), '--data-dir', newest, '--identity-file', oldKey, '--identity-file', newKey]);
    expect(await restoredHash(newest)).toBe(witness.hash);
    const [first] = await fulls();
    const old = scratch.file('old');
    const { revision } = first!;
    await ok(['restore', ...where(), '--data-dir', old, '--revision', String(revision), '--identity-file', oldKey]);
    const deleted = ['--before-delete-prefix', 'key-marker', '--data-dir', scratch.file('never')];
    // It looks into everything that is encrypted, and finds no such deletion.
    const search = await runCli(['restore', ...where(), ...deleted, '--identity-file', `${oldKey},${newKey}`]);
    expectFailure(search, { code: 'REVISION_NOT_RESTORABLE', exitCode: 5 });
  });

  test('one file is inspected and hashed with its key; without it, its clear facts are told', async () => {
    const [{ key }] = (await fulls()) as [FullEntry];
    const path = join(bucket, key);
    const locked = await runCli(['inspect', path, '-o', 'json']);
    expect(locked.exitCode).toBe(13);
    const said = JSON.parse(locked.stdout) as Record<string, unknown>;
    expect(said).toMatchObject({ sound: null, encryption: { recipients: [KEYS.old.recipient.slice(0, 20)] } });
    const { stdout } = await ok(['inspect', path, '--identity-file', oldKey, '-o', 'json']);
    const opened = JSON.parse(stdout) as Record<string, unknown>;
    expect(opened).toMatchObject({ sound: true, manifest: 'fits', codec: 'zstd' });
    expect(undescribedPaths('inspect', opened)).toEqual([]);
    await ok(['hash', path, '--identity-file', oldKey]);
    const [delta] = (await readInventory(new LocalStore(bucket), 'prod')).timelines[0]!.deltas;
    await ok(['inspect', join(bucket, delta!.key), '--identity-file', `${oldKey},${newKey}`]);
  });

  test('compact joins them under the key that it is told, and never in clear', async () => {
    const keys = ['--identity-file', `${oldKey},${newKey}`];
    expectFailure(await runCli(['compact', ...where(), ...keys]), { code: 'USAGE', exitCode: 2 });
    expect((await fulls()).every(({ manifest }) => manifest.encryption !== undefined)).toBe(true);
    const packing = [
      '--encryption-recipients',
      KEYS.new.recipient,
      '--enable-compression',
      '--compression-policy',
      'zstd',
    ];
    await ok(['compact', ...where(), ...keys, ...packing]);
    const made = (await fulls()).at(-1)!;
    expect(made.key).toMatch(/\.db\.zst\.age$/);
    const dataDir = scratch.file('compacted');
    await ok(['restore', ...where(), '--snapshot', made.key, '--data-dir', dataDir, '--identity-file', newKey]);
  });

  test('a changed byte is damage and no missing key, and another chain is taken', async () => {
    const [, second] = await fulls();
    const path = join(bucket, second!.key);
    const sound = readFileSync(path);
    const changed = Buffer.from(sound);
    changed[changed.length - 100]! ^= 1;
    writeFileSync(path, changed);
    try {
      const inspected = await runCli(['inspect', path, '--identity-file', oldKey]);
      expectFailure(inspected, { code: 'OBJECT_DAMAGED', exitCode: 4 });
      const keys = ['--identity-file', `${oldKey},${newKey}`];
      const at = ['--revision', String(second!.revision), '--data-dir', scratch.file('round')];
      const { stderr, stdout } = await ok(['restore', ...where(), ...at, ...keys]);
      expect(`${stdout}${stderr}`).toContain('was not used');
    } finally {
      writeFileSync(path, sound);
    }
  });

  test('the age tool and gzip give back a plain snapshot, without us', async (context) => {
    const age = findBinary('age');
    if (age === undefined) return context.skip(missingBinary('age'));
    const gzipped = (await fulls()).find(({ manifest }) => manifest.codec === 'gzip')!;
    const packed = await runCli([
      'restore',
      '--from-file',
      join(bucket, gzipped.key),
      '--data-dir',
      scratch.file('never'),
    ]);
    expectFailure(packed, { code: 'USAGE', exitCode: 2, says: /is encrypted/ });
    const opened = spawnSync(age, ['--decrypt', '-i', oldKey, join(bucket, gzipped.key)], { maxBuffer: 2 ** 28 });
    expect(opened.status, opened.stderr.toString()).toBe(0);
    const plain = spawnSync('gzip', ['-dc'], { input: opened.stdout, maxBuffer: 2 ** 28 });
    expect(plain.status).toBe(0);
    const path = scratch.file('by-hand.db');
    writeFileSync(path, plain.stdout);
    const dataDir = scratch.file('by-hand');
    await ok(['restore', '--from-file', path, '--data-dir', dataDir]);
  });
});
