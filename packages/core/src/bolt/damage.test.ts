import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { readLeases } from '../mvcc/leases.ts';
import { leasesOfLiveKeys } from '../mvcc/live-leases.ts';
import { encodeRevisionKey } from '../mvcc/revision.ts';
import { rowsAbove } from '../mvcc/rows-above.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { Randomness } from '../mvcc/testing/randomness.ts';
import { BoltFile } from './bolt-file.ts';
import { BoltWriter } from './bolt-writer.ts';
import { checkBoltFile } from './check.ts';
import { encodeMetaPage, type BoltMeta } from './meta.ts';
import { entriesBackwards, entriesOf, GOLDEN_SNAPSHOT, Scratch } from './testing/scratch.ts';

const VARIANTS = 10_000;
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? 20_261_120);
const PAGE = 4096;
const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const golden = readFileSync(GOLDEN_SNAPSHOT);

/** One to four changes, mostly in headers and element tables, where they hurt. Returns what was done, for the message. */
function damage(bytes: Buffer, randomness: Randomness): string {
  const changes = Array.from({ length: 1 + randomness.below(4) }, () => oneChange(bytes, randomness));
  return changes.join(', ');
}

function oneChange(bytes: Buffer, randomness: Randomness): string {
  const page = 2 + randomness.below(bytes.length / PAGE - 3);
  const inPage = randomness.below(4) === 0 ? randomness.below(PAGE) : randomness.below(16 + 16 * 12);
  const offset = page * PAGE + inPage;
  switch (randomness.below(6)) {
    case 0:
      bytes[offset]! ^= 1 << randomness.below(8);
      return `bit at ${offset}`;
    case 1: {
      const interesting = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, PAGE, 16, page, 12, 11];
      bytes.writeUInt32LE(interesting[randomness.below(interesting.length)]!, offset & ~3);
      return `u32 at ${offset & ~3}`;
    }
    case 2:
      bytes.writeUInt16LE(randomness.below(0x10000), page * PAGE + 10);
      return `count of page ${page}`;
    case 3:
      bytes.copy(bytes, page * PAGE, (2 + randomness.below(10)) * PAGE, (3 + randomness.below(9)) * PAGE);
      return `page ${page} overwritten by others`;
    case 4:
      // A page under another's number: references in circles, and one page referenced twice.
      bytes.copy(bytes, page * PAGE, (2 + randomness.below(10)) * PAGE, (2 + randomness.below(10)) * PAGE + PAGE);
      bytes.writeUInt32LE(page, page * PAGE);
      return `page ${page} is a copy of another`;
    default:
      return metaChange(bytes, randomness);
  }
}

/** Changes the meta that counts, and gives it a right checksum: random bytes would only make it invalid. */
function metaChange(bytes: Buffer, randomness: Randomness): string {
  const meta: BoltMeta = {
    pageSize: PAGE,
    rootPage: 11,
    rootSequence: 0n,
    freelistPage: undefined,
    highWaterMark: 12,
    txid: 13,
  };
  const values = [0, 1, 2, 3, 5, 8, 11, 12, 13, 2 ** 31, 2 ** 40];
  const value = values[randomness.below(values.length)]!;
  const field = (['rootPage', 'freelistPage', 'highWaterMark', 'txid'] as const)[randomness.below(4)]!;
  encodeMetaPage(0, { ...meta, [field]: value }).copy(bytes, 0);
  return `meta ${field} ${value}`;
}

/** Everything that is ever done with a file that was not checked before. */
async function readEverything(path: string): Promise<void> {
  using file = BoltFile.open(path);
  for (const name of file.bucketNames()) {
    const bucket = file.bucket(name)!;
    entriesOf(bucket);
    entriesBackwards(bucket);
  }
  const info = readStoreInfo(file);
  readLeases(file);
  await hashKV(file);
  await hashKV(file, { revision: info.revision, compactRevision: 40 });
  await leasesOfLiveKeys(file, info.revision);
  for (const block of rowsAbove(file, 35)) block.main(0);
}

function editEverything(path: string, revision: number): void {
  using writer = BoltWriter.open(path);
  const edge = writer.rightEdge('key', { dropFrom: encodeRevisionKey(revision) });
  edge.append(encodeRevisionKey(2 ** 52), Buffer.from('row'));
  edge.finish();
  writer.replaceBucket('members', []);
  writer.commit({ sync: false });
}

async function attempt(work: () => unknown): Promise<'ok' | 'refused'> {
  try {
    await work();
    return 'ok';
  } catch (error) {
    if (isEtcdOpsError(error) && (error.code === 'BOLT_DAMAGED' || error.code === 'MVCC_DAMAGED')) return 'refused';
    throw error;
  }
}

describe('damaged files', () => {
  test(
    `${VARIANTS} damaged variants of a real snapshot (seed ${SEED}): refused with a clear error, or still sound`,
    { timeout: 600_000 },
    async () => {
      const randomness = new Randomness(SEED);
      const path = scratch.file();
      const outcomes = { refused: 0, sound: 0, readable: 0 };
      for (let variant = 0; variant < VARIANTS; variant++) {
        const bytes = Buffer.from(golden.subarray(0, golden.length - 32));
        const changes = damage(bytes, randomness);
        writeFileSync(path, bytes);
        try {
          const checked = await attempt(async () => {
            using file = BoltFile.open(path);
            await checkBoltFile(file);
          });
          outcomes[checked === 'ok' ? 'sound' : 'refused']++;
          if ((await attempt(() => readEverything(path))) === 'ok') outcomes.readable++;
          const edited = await attempt(() => editEverything(path, 40));
          // What was sound stays sound under our edits.
          if (checked === 'ok' && edited === 'ok') {
            using file = BoltFile.open(path);
            await checkBoltFile(file);
          }
        } catch (error) {
          throw new Error(`seed ${SEED}, variant ${variant}: ${changes}`, { cause: error });
        }
      }
      // The damage must have been worth it, and not all of it: values may change without the pages being wrong.
      expect(outcomes.refused).toBeGreaterThan(VARIANTS / 3);
      expect(outcomes.sound).toBeGreaterThan(VARIANTS / 50);
    },
  );

  test('names the page and the rule', async () => {
    const cases: [string, (bytes: Buffer, leaf: number, branch: number) => void, string][] = [
      ['wrong number', (bytes, leaf) => void bytes.writeUInt32LE(77, leaf), 'its header says that it is page 77'],
      ['flags', (bytes, leaf) => void bytes.writeUInt16LE(3, leaf + 8), 'its flags 3 are neither leaf nor branch'],
      ['too many', (bytes, leaf) => void bytes.writeUInt16LE(300, leaf + 10), '300 elements do not fit'],
      ['empty leaf', (bytes, leaf) => void bytes.writeUInt16LE(0, leaf + 10), 'a leaf below a branch is empty'],
      ['overflow', (bytes, leaf) => void bytes.writeUInt32LE(0xffff_ffff, leaf + 12), 'reach outside the file'],
      ['value', (bytes, leaf) => void bytes.writeUInt32LE(50_000, leaf + 28), 'entry 0 reaches outside the page'],
      [
        'order',
        (bytes, leaf) =>
          void bytes.fill(0xff, leaf + 16 + bytes.readUInt32LE(leaf + 20), leaf + 18 + bytes.readUInt32LE(leaf + 20)),
        'does not come after the key before it',
      ],
      ['one child', (bytes, _leaf, branch) => void bytes.writeUInt16LE(1, branch + 10), 'only one child'],
      [
        'circle',
        (bytes, _leaf, branch) => void bytes.writeUInt32LE(branch / PAGE, branch + 24),
        'referenced more than once',
      ],
      ['outside', (bytes, _leaf, branch) => void bytes.writeUInt32LE(4000, branch + 24), 'outside the file'],
      [
        'twice',
        (bytes, _leaf, branch) => void bytes.writeUInt32LE(bytes.readUInt32LE(branch + 40), branch + 24),
        'is not below the next key|referenced more than once|below the key',
      ],
    ];
    using sound = BoltFile.open(GOLDEN_SNAPSHOT);
    const branch = sound.bucket('key')!.rootPage * PAGE;
    const leaf = golden.readUInt32LE(branch + 24) * PAGE;
    for (const [name, change, rule] of cases) {
      const bytes = Buffer.from(golden);
      change(bytes, leaf, branch);
      const path = scratch.file();
      writeFileSync(path, bytes);
      using file = BoltFile.open(path);
      const message = await checkBoltFile(file).then(() => 'sound', String);
      expect(message, name).toMatch(new RegExp(`page \\d+: .*(${rule})`));
    }
  });
});
