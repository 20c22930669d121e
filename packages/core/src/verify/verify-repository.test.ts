import { readdirSync } from 'node:fs';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { rowsOfHistory, writeModelStore } from '../mvcc/testing/model-store.ts';
import { manifestKey } from '../repository/object-key.ts';
import { sampleWitness } from '../repository/proof-samples.ts';
import { writeWitness } from '../repository/read-proofs.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import type { LocalStore } from '../storage/local-store.ts';
import { compacted, cut, LIES, tell, type Lie } from './testing/lies.ts';
import { verifyRepository, type VerifyOptions } from './verify-repository.ts';
import type { VerifyReport } from './verify-report.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const ROWS = rowsOfHistory(Array.from({ length: 60 }, (_, index) => [{ key: `k${index % 7}`, valueBytes: 50 }]));
const DAY_MS = 86_400_000;

let repository: TestRepository;
let fulls: string[];
let deltas: string[];

/** Fulls at 21 and 41, deltas of 10 revisions up to 61. */
async function build(told = ROWS, held = ROWS): Promise<void> {
  repository = new TestRepository(scratch.file());
  fulls = [];
  deltas = [];
  for (const [index, end] of [21, 41].entries()) {
    const path = scratch.file();
    writeModelStore(
      path,
      held.filter(({ main }) => main <= end),
    );
    fulls.push(await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, 20) + index * DAY_MS }));
  }
  const above = told.filter(({ main }) => main > 21);
  for (const part of cut(above, 10)) deltas.push(await repository.addDelta(part));
}

beforeEach(async () => await build());

async function verify(options: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
  const scratchDir = scratch.file();
  const inventory = await repository.inventory();
  const report = await verifyRepository({ store: repository.store, inventory, depth: 'read', scratchDir, ...options });
  if (options.depth !== 'quick') expect(readdirSync(scratchDir)).toEqual([]);
  return report;
}

async function flip(key: string, part = 0.5): Promise<void> {
  const stored = await repository.store.get(key);
  const at = Math.floor(stored.length * part);
  stored[at] = stored[at]! ^ 0x40;
  await repository.store.delete([key]);
  await repository.store.put(key, stored);
}

const kinds = ({ findings }: VerifyReport): string[] => findings.map(({ kind, what }) => `${kind} ${what}`);

describe('a sound repository', () => {
  test.each(['quick', 'read', 'prove'] as const)('is sound at depth %s', async (depth) => {
    const report = await verify({ depth });
    expect(report).toMatchObject({ verdict: 'sound', fulls: 2, deltas: 4 });
    expect(report.findings.filter(({ kind }) => kind !== 'note')).toEqual([]);
    expect(report.restorable).toEqual([expect.objectContaining({ timeline: 1, from: 1, to: 61 })]);
    expect(report.bytesRead > 0).toBe(depth !== 'quick');
  });

  test('proves each chain up to the next full, and the last one as far as it goes', async () => {
    const report = await verify({ depth: 'prove' });
    expect(report.proofs.map(({ full, to, verdict }) => [full, to, verdict])).toEqual([
      [fulls[0], 41, 'ok'],
      [fulls[1], 61, 'open'],
    ]);
  });

  test('the newest: what a restore uses, and the chain before it', async () => {
    const { proofs } = await verify({ depth: 'prove', scope: { kind: 'newest' } });
    expect(proofs.map(({ full, to }) => [full, to])).toEqual([
      [fulls[1], 61],
      [fulls[0], 41],
    ]);
  });

  test('one full with its deltas, and one revision', async () => {
    const chain = await verify({ depth: 'prove', scope: { kind: 'snapshot', key: fulls[0]! } });
    expect(chain).toMatchObject({ fulls: 1, deltas: 4, proofs: [{ to: 61, verdict: 'ok' }] });
    const one = await verify({ scope: { kind: 'revision', revision: 45 } });
    expect(one).toMatchObject({ fulls: 1, deltas: 1, verdict: 'sound' });
    await expect(verify({ scope: { kind: 'revision', revision: 99 } })).rejects.toMatchObject({
      code: 'REVISION_NOT_RESTORABLE',
    });
  });
});

describe('fulls that were made of backups', () => {
  const made = async (end: number, cause = 'compact'): Promise<string> => {
    const path = scratch.file();
    const held = compacted(
      ROWS.filter(({ main }) => main <= end),
      end,
    );
    writeModelStore(path, held, { scheduled: end, finished: end });
    const key = await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, 25), cause });
    fulls.push(key);
    return key;
  };
  const given = async (end: number): Promise<string> => {
    const path = scratch.file();
    writeModelStore(
      path,
      ROWS.filter(({ main }) => main <= end),
    );
    const key = await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, 26) });
    fulls.push(key);
    return key;
  };
  const witness = async (revision: number): Promise<void> => {
    using file = BoltFile.open(await pathOf(ROWS));
    const { hash } = await hashKV(file, { revision, compactRevision: revision });
    const facts = { cluster: 'test', clusterId: '1', revision, compactRevision: revision, hash };
    await writeWitness(repository.store, sampleWitness(facts));
  };
  const pathOf = async (rows: typeof ROWS): Promise<string> => {
    const path = scratch.file();
    writeModelStore(path, rows);
    return await Promise.resolve(path);
  };
  const proofsOf = async (options: Partial<VerifyOptions>) => {
    const { proofs } = await verify({ depth: 'prove', ...options });
    return proofs.map(({ full, to, verdict, provenTo, comparisons }) => {
      const equal = comparisons!.filter(({ outcome }) => outcome === 'equal').map((one) => one.revision);
      return { full, to, verdict, provenTo, equal };
    });
  };

  test.each(['compact', 'import'])('prove nothing of the chain before them: %s', async (cause) => {
    const product = await made(61, cause);
    const [first, second] = fulls;
    for (const scope of [{ kind: 'all' }, { kind: 'newest' }] as const) {
      const proofs = await proofsOf({ scope });
      const found = new Map(proofs.map((proof) => [proof.full, proof]));
      expect(found.get(first!)).toEqual({ full: first, to: 41, verdict: 'ok', provenTo: 41, equal: [41] });
      expect(found.get(second!)).toEqual({ full: second, to: 61, verdict: 'open', equal: [] });
      expect(found.get(product)).toEqual({ full: product, to: 61, verdict: 'open', equal: [] });
    }
    expect(await proofsOf({ scope: { kind: 'snapshot', key: second! } })).toMatchObject([{ verdict: 'open' }]);
    expect(await proofsOf({ scope: { kind: 'revision', revision: 61 } })).toMatchObject([{ verdict: 'open' }]);
    // The last word of the cluster is that of a witness inside of the chain: up to there it is proven, and no further.
    await witness(51);
    const proofs = await proofsOf({ scope: { kind: 'all' } });
    expect(proofs.find(({ full }) => full === second)).toMatchObject({ verdict: 'ok', provenTo: 51, equal: [51] });
    expect(proofs.find(({ full }) => full === product)).toMatchObject({ verdict: 'open' });
  });

  test('the chain goes on through them: the next full of the cluster proves what lies on either side', async () => {
    const product = await made(51);
    const next = await given(61);
    const [first, second] = fulls;
    const proven = { to: 61, verdict: 'ok', provenTo: 61, equal: [61] };
    expect(await proofsOf({ scope: { kind: 'all' } })).toEqual([
      { full: first, to: 41, verdict: 'ok', provenTo: 41, equal: [41] },
      { full: second, ...proven },
      { full: product, ...proven },
      { full: next, to: 61, verdict: 'open', equal: [] },
    ]);
  });

  test('where the deltas lie, one that was made of them does not hide it', async () => {
    const lie = tell(ROWS, 'another byte', 57)!;
    // Nothing wrote the key again.
    expect(lie.revision).toBeGreaterThan(54);
    await build(lie.rows);
    const path = scratch.file();
    writeModelStore(path, compacted(lie.rows, 61), { scheduled: 61, finished: 61 });
    await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, 25), cause: 'compact' });
    expect(await proofsOf({ scope: { kind: 'newest' } })).toMatchObject([
      { verdict: 'open' },
      { verdict: 'open' },
      { verdict: 'ok', provenTo: 41 },
    ]);
    await witness(61);
    expect(await proofsOf({ scope: { kind: 'newest' } })).toMatchObject([
      { verdict: 'failed' },
      { verdict: 'failed' },
      { verdict: 'ok', provenTo: 41 },
    ]);
  });
});

test('a store far away, with deltas that do not fit into memory: the same, and the scratch space is left empty', async () => {
  const rows = rowsOfHistory(
    Array.from({ length: 60 }, (_, index) => [{ key: `k${index % 7}`, valueBytes: index > 20 ? 250_000 : 50 }]),
  );
  await build(rows, rows);
  expect(await verify({ store: farAway(repository.store), depth: 'prove' })).toMatchObject({
    verdict: 'sound',
    proofs: [{ verdict: 'ok' }, { verdict: 'open' }],
  });
  await build(tell(rows, 'another byte', 30)!.rows, rows);
  expect(await verify({ store: farAway(repository.store), depth: 'prove' })).toMatchObject({ verdict: 'failed' });
});

describe('damage', () => {
  test('in a delta: it is named, and what is left', async () => {
    await flip(deltas[3]!);
    expect((await verify({ depth: 'quick' })).verdict).toBe('sound');
    const report = await verify();
    expect(report.verdict).toBe('damaged');
    expect(kinds(report)).toEqual([`damaged ${deltas[3]}`, 'partial what is left']);
    expect(report.restorable).toEqual([expect.objectContaining({ from: 1, to: 51 })]);
  });

  test('where another chain leads round it, everything is left', async () => {
    await flip(deltas[1]!);
    const report = await verify();
    expect(kinds(report)).toEqual([`damaged ${deltas[1]}`, 'note the damage']);
  });

  test('in a full, anywhere', async () => {
    for (const part of [0.2, 0.5, 0.99]) {
      await build();
      await flip(fulls[1]!, part);
      const report = await verify();
      expect(kinds(report)).toContain(`damaged ${fulls[1]}`);
    }
  });

  test('in a manifest, and a full that went missing: a listing is enough', async () => {
    await flip(manifestKey(fulls[1]!));
    await repository.store.delete([fulls[0]!]);
    const report = await verify({ depth: 'quick', scope: { kind: 'all' } }).catch((error: unknown) => error);
    expect(report).toMatchObject({ code: 'MANIFEST_DAMAGED' });
  });

  test('a missing delta is a gap: partial, not damaged', async () => {
    await repository.store.delete([deltas[3]!, deltas[2]!]);
    expect((await verify({ depth: 'quick' })).verdict).toBe('sound');
    await build();
    await repository.store.delete([deltas[2]!]);
    const report = await verify({ depth: 'quick' });
    expect(kinds(report)).toEqual(['partial timeline 1']);
    expect(report.findings[0]!.why).toContain('42');
  });
});

describe('a lying writer, whose objects are sound in themselves', () => {
  test('a full that ends inside of a delta with other rows: found by reading', async () => {
    await build(
      tell(
        ROWS,
        'another byte',
        ROWS.findIndex(({ main }) => main === 41),
      )!.rows,
    );
    const report = await verify();
    expect(report.verdict).toBe('failed');
    expect(report.findings[0]).toMatchObject({ kind: 'failed', what: deltas[1] });
  });

  test('other rows before a full: found by proving', async () => {
    await build(
      tell(
        ROWS,
        'another lease',
        ROWS.findIndex(({ main }) => main === 30),
      )!.rows,
    );
    expect((await verify()).verdict).toBe('sound');
    const report = await verify({ depth: 'prove' });
    expect(report).toMatchObject({ verdict: 'failed', proofs: [{ verdict: 'failed' }, {}] });
  });

  test('other rows behind the last full: found by what the cluster says now', async () => {
    await build(
      tell(
        ROWS,
        'another byte',
        ROWS.findIndex(({ main }) => main === 55),
      )!.rows,
    );
    expect((await verify({ depth: 'prove' })).verdict).toBe('sound');
    const path = scratch.file();
    writeModelStore(path, ROWS);
    const { hash } = await hashOf(path);
    const clusterHashes = [{ with: 'cluster', revision: 61, compactRevision: -1, hash } as const];
    const report = await verify({ depth: 'prove', clusterHashes });
    expect(report.proofs.map(({ verdict }) => verdict)).toEqual(['ok', 'failed']);
    await build();
    const sound = await verify({ depth: 'prove', clusterHashes });
    expect(sound.proofs.map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
  });
});

describe('deltas that hold the same revisions', () => {
  const span = (from: number, to: number, rows = ROWS): typeof ROWS =>
    rows.filter(({ main }) => main >= from && main <= to);
  const lieAt = (revision: number, lie: Lie = 'another byte'): typeof ROWS =>
    tell(
      ROWS,
      lie,
      ROWS.findIndex(({ main }) => main === revision),
    )!.rows;

  test('a merge and what it stands for, and two that overlap: sound, when the rows are the same', async () => {
    for (const [from, to] of [
      [22, 61],
      [25, 38],
      [52, 56],
    ] as const) {
      await repository.addDelta(span(from, to), { lastObservedMs: Date.UTC(2026, 10, 21) });
    }
    expect(await verify()).toMatchObject({ verdict: 'sound', deltas: 7 });
  });

  // A row less would be a hole here; it is a row more in the other one.
  test.each(LIES.filter((lie) => lie !== 'a row less'))(
    'with %s in one of them: found by reading, at the first revision',
    async (lie) => {
      // No full ends inside of the second one, and no digest of a footer tells of revision 54 or 57.
      const rows = tell(
        lieAt(57),
        lie,
        ROWS.findIndex(({ main }) => main === 54),
      )!.rows;
      const other = await repository.addDelta(span(49, 60, rows), { lastObservedMs: Date.UTC(2026, 10, 21) });
      const { findings, verdict } = await verify();
      expect(verdict).toBe('failed');
      const pair = [deltas[3]!, other];
      expect(findings).toEqual([
        expect.objectContaining({ kind: 'failed', why: expect.stringContaining('revision 54 ') }),
      ]);
      expect(pair).toContain(findings[0]!.what);
      expect(pair.filter((key) => key !== findings[0]!.what)).toEqual([
        pair.find((key) => findings[0]!.why.endsWith(key)),
      ]);
    },
  );

  test('of two timelines are two histories', async () => {
    await repository.addDelta(span(49, 60, lieAt(54)), { timeline: 2 });
    expect((await verify()).findings.filter(({ kind }) => kind === 'failed')).toEqual([]);
  });

  test('with one of them damaged: that is told, and the others are compared', async () => {
    const [bad, lying] = [
      await repository.addDelta(span(22, 61), { lastObservedMs: Date.UTC(2026, 10, 21) }),
      await repository.addDelta(span(53, 60, lieAt(54)), { lastObservedMs: Date.UTC(2026, 10, 21) }),
    ];
    await flip(bad);
    const report = await verify();
    expect(kinds(report)).toContain(`damaged ${bad}`);
    const failed = report.findings.filter(({ kind }) => kind === 'failed');
    expect(failed.map(({ what, why }) => `${what} ${why}`)).toEqual([expect.stringContaining(lying)]);
  });
});

test('a stored witness is held against the chain that reaches it; one of another cluster is not asked', async () => {
  const path = scratch.file();
  writeModelStore(path, ROWS);
  const { hash } = await hashOf(path);
  const witness = { cluster: 'test', clusterId: '1', revision: 61, compactRevision: -1, hash };
  await writeWitness(repository.store, sampleWitness({ ...witness, clusterId: '2', hash: 5 }));
  expect((await verify({ depth: 'prove' })).proofs[1]).toMatchObject({ verdict: 'open', comparisons: [] });
  await writeWitness(
    repository.store,
    sampleWitness({ ...witness, memberId: 'a', askedAt: '2026-12-01T00:00:00.000Z' }),
  );
  const report = await verify({ depth: 'prove' });
  expect(report.proofs[1]).toMatchObject({ verdict: 'ok', comparisons: [{ with: 'witness', outcome: 'equal' }] });
});

async function hashOf(path: string): Promise<{ hash: number }> {
  using file = BoltFile.open(path);
  return await hashKV(file);
}

/** The same store without local files. */
function farAway(store: LocalStore): LocalStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'localPath') return undefined;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
