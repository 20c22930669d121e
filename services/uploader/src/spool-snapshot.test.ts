import { tempDir } from '@etcd-ops/test-kit';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { spoolSnapshot } from './spool-snapshot.ts';

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

function snapshotOf(bytes: number): Buffer {
  const content = Buffer.from(Array.from({ length: bytes }, (_, index) => index % 251));
  return Buffer.concat([content, sha256(content)]);
}

async function* inBlobs(bytes: Buffer, blobBytes: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += blobBytes) yield bytes.subarray(offset, offset + blobBytes);
}

const options = {
  expectedBytes: 0,
  bytesMax: 10_000_000,
  now: () => 5,
  onProgress: () => undefined,
  signal: new AbortController().signal,
};

describe('spoolSnapshot', () => {
  it.each([
    [1_000, 32_768],
    [3_000_000, 32_768],
    [10_000, 7],
    [1_100_000, 1_000],
    [1_048_576, 1_048_576],
    [1_048_576, 1_048_608],
  ])('writes %i bytes that come in blobs of %i', async (bytes, blobBytes) => {
    await using dir = tempDir();
    const snapshot = snapshotOf(bytes);
    const spooled = await spoolSnapshot(inBlobs(snapshot, blobBytes), { ...options, path: dir.file('full.db') });
    expect(spooled).toMatchObject({ bytes: snapshot.length, sha256: sha256(snapshot).toString('hex'), beganMs: 5 });
    expect(readFileSync(dir.file('full.db')).equals(snapshot)).toBe(true);
  });

  it.each([
    ['a changed byte', (snapshot: Buffer) => ((snapshot[77] = snapshot[77]! ^ 1), snapshot)],
    ['a changed hash', (snapshot: Buffer) => ((snapshot[snapshot.length - 1] = snapshot.at(-1)! ^ 1), snapshot)],
    ['a missing end', (snapshot: Buffer) => snapshot.subarray(0, -1)],
    ['almost nothing', (snapshot: Buffer) => snapshot.subarray(0, 5)],
    ['nothing', () => Buffer.alloc(0)],
  ])('refuses %s, and it is worth trying again', async (_, damage) => {
    await using dir = tempDir();
    const promise = spoolSnapshot(inBlobs(damage(snapshotOf(5_000)), 100), { ...options, path: dir.file('full.db') });
    await expect(promise).rejects.toMatchObject({ code: 'SNAPSHOT_INCOMPLETE', retriable: true });
  });

  it('bounds what it takes of the disk, before and while it writes', async () => {
    await using dir = tempDir();
    const limited = { ...options, bytesMax: 1_000, path: dir.file('full.db') };
    await expect(
      spoolSnapshot(inBlobs(snapshotOf(5_000), 100), { ...limited, expectedBytes: 5_000 }),
    ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(spoolSnapshot(inBlobs(snapshotOf(5_000), 100), limited)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    const vast = { ...options, bytesMax: 2 ** 52, expectedBytes: 2 ** 51, path: dir.file('vast.db') };
    await expect(spoolSnapshot(inBlobs(snapshotOf(10), 100), vast)).rejects.toMatchObject({ code: 'DISK_FAILED' });
  });
});
