import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computeMembership } from '../datadir/membership.ts';
import { readGolden } from '../datadir/golden-clusters.ts';
import { ProtoWriter } from '../datadir/proto-writer.ts';
import { encodeRaftFiles } from '../datadir/raft-files.ts';
import { WAL_RECORD_TYPES, WalEncoder } from '../datadir/wal-format.ts';
import { HEADER_MAGIC } from '../delta/delta-format.ts';
import { inspectRaftSnapshot, inspectWal, walSegmentOf } from './inspect-raft.ts';
import { recogniseFile } from './recognise-file.ts';
import { v2KeysOf, v2WriteOf } from './v2-store.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-inspect-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const written = (name: string, bytes: Buffer): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};
const v2Request = (method: string, path: string): Buffer =>
  new ProtoWriter().varint(1, 7).bytes(2, Buffer.from(method)).bytes(3, Buffer.from(path)).finish();

const membership = computeMembership([{ name: 'm1', peerUrls: ['http://10.0.0.1:2380'] }], 'token');
const raft = encodeRaftFiles(membership, membership.members[0]!.id, { confStateInWal: true });
const meta = Buffer.alloc(8192 + 64);
meta.writeUInt32LE(0xed0c_daed, 16);
const secondMeta = Buffer.alloc(8192 + 64);
secondMeta.writeUInt32LE(0xed0c_daed, 4096 + 16);

describe('a file is recognised', () => {
  test.each([
    { name: 'any', bytes: meta, kind: 'database', codec: 'none' },
    { name: 'first-meta-page-damaged', bytes: secondMeta, kind: 'database', codec: 'none' },
    { name: 'full.db', bytes: Buffer.alloc(100), kind: 'database', codec: 'none' },
    { name: 'full.db.zst', bytes: Buffer.from('x'), kind: 'database', codec: 'zstd' },
    { name: 'full.db.zz', bytes: Buffer.from('x'), kind: 'database', codec: 'zlib' },
    { name: 'renamed', bytes: Buffer.from('1f8b0800', 'hex'), kind: 'database', codec: 'gzip' },
    { name: 'a-delta', bytes: HEADER_MAGIC, kind: 'delta', codec: 'none' },
    { name: 'damaged.delta', bytes: Buffer.alloc(8), kind: 'delta', codec: 'none' },
    { name: 'a-log', bytes: raft.wal, kind: 'wal', codec: 'none' },
    { name: '1.snap', bytes: raft.snap, kind: 'raft-snapshot', codec: 'none' },
    { name: '0000000000000002.snap.db', bytes: meta, kind: 'database', codec: 'none' },
    { name: 'manifest', bytes: Buffer.from('{"version":1}'), kind: 'document', codec: 'none' },
  ])('$name as $kind, $codec', ({ name, bytes, kind, codec }) => {
    expect(recogniseFile(written(name, bytes))).toEqual({ kind, codec, bytes: bytes.length });
  });

  test('anything else is damage; nothing there is said', () => {
    mkdirSync(join(directory, 'folder'));
    for (const content of ['', 'some text']) {
      expect(() => recogniseFile(written('strange', Buffer.from(content)))).toThrow(/nothing that etcd or etcd-ops/);
    }
    expect(() => recogniseFile(join(directory, 'folder'))).toThrow(/not a regular file/);
    expect(() => recogniseFile(join(directory, 'absent'))).toThrow(/There is no file/);
  });
});

describe('data of the v2 API', () => {
  const key = (Value: string): object => ({ Value, Children: null });
  const store = (users: object): Buffer =>
    Buffer.from(JSON.stringify({ Root: { Path: '/', Children: { 0: { Children: { x: key('own') } }, 1: users } } }));

  test('is counted in the store; directories and what is of etcd itself are not', () => {
    const users = { Children: { b: key('1'), a: { Children: { c: key('2'), empty: { Children: {} } } }, d: key('') } };
    expect(v2KeysOf(store(users))).toEqual({ keys: 3, examples: ['/b', '/a/c', '/d'] });
    expect(v2KeysOf(store({ Children: {} })).keys).toBe(0);
    expect(v2KeysOf(Buffer.alloc(0)).keys).toBe(0);
  });

  test('a store of another shape is refused', () => {
    expect(() => v2KeysOf(Buffer.from('{"Root":3}'))).toThrow('not the shape of one');
    expect(() => v2KeysOf(Buffer.from('{"Root":{"Children":{"1":7}}}'))).toThrow('not the shape of one');
  });

  test('is seen in raft entries, plain or inside of an InternalRaftRequest', () => {
    expect(v2WriteOf(v2Request('PUT', '/1/some/key'))).toBe('/some/key');
    expect(v2WriteOf(new ProtoWriter().varint(1, 3).bytes(2, v2Request('POST', '/1/queue')).finish())).toBe('/queue');
    for (const other of [v2Request('PUT', '/0/members/1'), v2Request('SYNC', ''), v2Request('QGET', '/1/x')]) {
      expect(v2WriteOf(other)).toBeUndefined();
    }
    expect(v2WriteOf(Buffer.from('ffffff', 'hex'))).toBeUndefined();
  });

  test('a raft snapshot of ours holds none', () => {
    const snapshot = inspectRaftSnapshot(written('ours.snap', readGolden('3-members.snap')));
    expect(snapshot.v2).toEqual({ keys: 0, examples: [] });
    expect(snapshot.members).toHaveLength(3);
  });
});

describe('a log', () => {
  const record = (type: number, index: number, data: Buffer): Buffer =>
    new ProtoWriter().varint(1, type).varint(2, 1).varint(3, index).bytes(4, data).finish();
  const hardState = (commit: number): Buffer => new ProtoWriter().varint(1, 1).varint(2, 1).varint(3, commit).finish();

  function logOf(commit: number): Buffer {
    const log = new WalEncoder();
    log.append(WAL_RECORD_TYPES.crc);
    log.append(WAL_RECORD_TYPES.metadata, new ProtoWriter().varint(1, 5).varint(2, 6).finish());
    log.append(WAL_RECORD_TYPES.entry, record(1, 1, Buffer.from('member')));
    log.append(WAL_RECORD_TYPES.entry, record(0, 2, v2Request('PUT', '/1/x')));
    log.append(WAL_RECORD_TYPES.entry, record(0, 3, Buffer.alloc(0)));
    log.append(WAL_RECORD_TYPES.hardState, hardState(commit));
    return Buffer.concat([log.finish(), Buffer.alloc(4096)]);
  }

  test('is counted', async () => {
    const path = written('0000000000000001-000000000000000a.wal', logOf(3));
    expect(walSegmentOf(path)).toEqual({ path, sequence: 1n, firstIndex: 10 });
    expect(await inspectWal([walSegmentOf(path)])).toMatchObject({
      ...{ memberId: 5n, clusterId: 6n, entries: 3, configChanges: 1, v2Writes: 1, lastIndex: 3 },
    });
  });

  test('with a length that no crash leaves is damaged; one that was cut off in a record is only torn', async () => {
    const whole = logOf(1);
    // Behind the records of CRC and metadata, each a length field and a padded record.
    const next = (at: number): number => at + 8 + Math.ceil(whole[at]! / 8) * 8;
    const start = next(next(0));
    const flipped = Buffer.from(whole);
    flipped[start + 3] = 1;
    await expect(inspectWal([walSegmentOf(written('length.wal', flipped))])).rejects.toThrow('zeros are at its end');
    const last = whole.indexOf(Buffer.from('PUT'));
    const cut = await inspectWal([walSegmentOf(written('cut.wal', whole.subarray(0, last)))]);
    expect(cut).toMatchObject({
      entries: 1,
      torn: { rule: expect.stringContaining('ends behind the file') as string },
    });
  });

  test('that ends before what is committed is damaged', async () => {
    const path = written('short.wal', logOf(4));
    await expect(inspectWal([walSegmentOf(path)])).rejects.toThrow('entry 4 is committed, and ends at 3');
  });
});
