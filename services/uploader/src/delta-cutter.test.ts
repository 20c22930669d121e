import type { EventRead } from '@etcd-ops/bus';
import { decodeDelta, decodeLeaseObject, encodeLeaseObject, RowBlock, RowBlockBuilder } from '@etcd-ops/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutDeltas, type CutPosition, type CutStep } from './delta-cutter.ts';

const ORIGIN: CutPosition = { timeline: 1, revision: 10, digest: null, sequence: 0 };
const PLACE = { timeline: 1, clusterId: 7n, epoch: 'e'.repeat(32), contiguous: true };

interface Shape {
  revisions: number;
  bytes: number;
  leases: number;
}

/** Rows events behind revision 10, one per shape; a shape without revisions brings only leases. */
function eventsOf(shapes: readonly Shape[]): EventRead[] {
  let revision = ORIGIN.revision;
  return shapes.map(({ revisions, bytes, leases }, index) => {
    const builder = new RowBlockBuilder();
    const first = revision + 1;
    for (let count = 0; count < revisions; count++) {
      revision++;
      builder.append(revision, 0, false, Buffer.alloc(bytes, index));
      if (count % 2 === 1) builder.append(revision, 1, true, Buffer.from('gone'));
    }
    const rows = RowBlock.parse(builder.take());
    const records = Array.from({ length: leases }, (_, lease) => ({
      id: BigInt(index * 100 + lease),
      grantedTtlSeconds: 60,
      askedAtRevision: revision,
      source: 'ttl' as const,
    }));
    return {
      ...PLACE,
      kind: 'rows',
      first,
      last: revision,
      rowBlock: rows.bytes,
      rows,
      leases: records,
      observedMs: 1_000 + index,
      digest: null,
      digestRows: 0,
      sequence: index + 1,
      lastPartSequence: index + 1,
    };
  });
}

async function* from(events: readonly EventRead[]): AsyncGenerator<EventRead> {
  yield* events;
}

async function cut(
  events: readonly EventRead[],
  options: { from?: CutPosition | undefined; bytesMax?: number } = {},
): Promise<CutStep[]> {
  const steps: CutStep[] = [];
  const position = 'from' in options ? options.from : ORIGIN;
  for await (const step of cutDeltas({
    cluster: 'c',
    from: position,
    events: from(events),
    deltaObjectBytesMax: options.bytesMax ?? 4_000,
    onUnanchored: () => undefined,
  })) {
    steps.push(step);
  }
  return steps;
}

const objectsOf = (steps: readonly CutStep[]) =>
  steps.flatMap((step) => {
    if (step.kind === 'start') return [];
    const bytes = step.kind === 'delta' ? step.delta.bytes : encodeLeaseObject(step.object);
    return [[step.key, bytes.toString('hex')]];
  });

const deltasOf = (steps: readonly CutStep[]) => steps.filter((step) => step.kind === 'delta');

async function contentOf(steps: readonly CutStep[]) {
  const rows: string[] = [];
  const leases: bigint[] = [];
  for (const step of steps) {
    if (step.kind === 'leases') {
      const { records } = decodeLeaseObject(encodeLeaseObject(step.object, 'zstd'));
      leases.push(...records.map(({ id }) => id));
    }
    if (step.kind !== 'delta') continue;
    const delta = await decodeDelta(step.delta.bytes);
    for (const block of delta.rowBlocks) {
      for (let row = 0; row < block.rowCount; row++) {
        rows.push(`${block.key(row).toString('hex')}=${block.value(row).length}`);
      }
    }
    leases.push(...delta.leases.map(({ id }) => id));
  }
  return { rows, leases };
}

const start = (overrides: object): EventRead => ({
  ...PLACE,
  kind: 'start',
  revision: 50,
  digest: null,
  cause: 'gap',
  observedMs: 5_000,
  sequence: 1,
  lastPartSequence: 1,
  ...overrides,
});

describe('cutDeltas', () => {
  const shapes = fc.array(
    fc.record({ revisions: fc.nat({ max: 4 }), bytes: fc.nat({ max: 1_500 }), leases: fc.nat({ max: 2 }) }),
    { maxLength: 25 },
  );

  it('has copies of all rows when it gives the memory of an event back', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.integer({ min: 1, max: 5_000 }), async (given, bytesMax) => {
        const expected = await cut(eventsOf(given), { bytesMax });
        let freed = 0;
        const wiped = eventsOf(given).map((event) => ({
          ...event,
          free: () => {
            freed++;
            if (event.kind === 'rows') event.rowBlock.fill(0xff);
          },
        }));
        expect(await cut(wiped, { bytesMax })).toEqual(expected);
        expect(freed).toBe(given.length);
      }),
    );
  });

  it('makes the same objects again, whole or after a crash behind any of them', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (given, crash) => {
        const events = eventsOf(given);
        const steps = await cut(events);
        expect(await cut(events)).toEqual(steps);
        const made = steps.filter((step) => step.kind !== 'start');
        if (made.length === 0) return;
        // A crash after some object: the next uploader begins at its position, and reads more of the stream than it needs.
        const survived = made[crash % made.length]!;
        const rest = await cut(events, { from: survived.position });
        expect(objectsOf(rest)).toEqual(objectsOf(made.slice(made.indexOf(survived) + 1)));
      }),
    );
  });

  it('keeps every row and lease exactly once, contiguously, in objects of bounded size', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (given) => {
        const events = eventsOf(given);
        const steps = await cut(events);
        const expectedRows = events.flatMap((event) => {
          const { rows } = event;
          return Array.from(
            { length: rows?.rowCount ?? 0 },
            (_, row) => `${rows!.key(row).toString('hex')}=${rows!.value(row).length}`,
          );
        });
        const { rows, leases } = await contentOf(steps);
        expect(rows).toEqual(expectedRows);
        // Also those behind the last rows: nobody knows when the next rows come.
        expect(leases).toEqual(
          events.flatMap((event) => (event.kind === 'rows' ? event.leases.map(({ id }) => id) : [])),
        );
        const says = events.filter((event) => event.kind === 'rows' && (event.rows?.rowCount || event.leases.length));
        expect(steps.at(-1)?.position.sequence ?? 0).toBeGreaterThanOrEqual(says.at(-1)?.sequence ?? 0);
        let revision = ORIGIN.revision;
        for (const { delta, position } of deltasOf(steps)) {
          const { facts } = delta;
          expect(facts.firstRevision).toBe(revision + 1);
          revision = facts.lastRevision;
          expect(position).toMatchObject({ timeline: 1, revision, digest: facts.lastRevisionDigest });
          const single = events.some(
            (event) => event.kind === 'rows' && event.last === revision && event.first === facts.firstRevision,
          );
          expect(single || facts.bytes <= 4_000 + 2_000).toBe(true);
        }
      }),
    );
  });

  it('stores leases that no rows follow by themselves, under the revision that they follow, and once', async () => {
    const events = eventsOf([
      { revisions: 0, bytes: 0, leases: 2 },
      { revisions: 0, bytes: 0, leases: 1 },
    ]);
    const steps = await cut(events);
    expect(steps).toMatchObject([
      {
        kind: 'leases',
        object: {
          clusterId: 7n,
          timeline: 1,
          revision: 10,
          observedMs: 1_001,
          records: [{ id: 0n }, { id: 1n }, { id: 100n }],
        },
        position: { ...ORIGIN, sequence: 2 },
      },
    ]);
    expect(await cut(events, { from: steps[0]!.position })).toEqual([]);
    // Rows behind them take them along, and before a new history they are stored, too.
    const followed = await cut(
      eventsOf([
        { revisions: 0, bytes: 0, leases: 2 },
        { revisions: 1, bytes: 9, leases: 0 },
      ]),
    );
    expect(followed.map(({ kind }) => kind)).toEqual(['delta']);
    const forked = await cut([...events, start({ timeline: 2, cause: 'fork', sequence: 3, lastPartSequence: 3 })]);
    expect(forked.map(({ kind, position }) => [kind, position.sequence])).toEqual([
      ['leases', 2],
      ['start', 3],
    ]);
  });

  it('closes the object at a start and follows it', async () => {
    const [first, second] = eventsOf([
      { revisions: 2, bytes: 10, leases: 0 },
      { revisions: 1, bytes: 10, leases: 0 },
    ]);
    const behind = eventsOf([{ revisions: 1, bytes: 10, leases: 0 }])[0]!;
    const builder = new RowBlockBuilder();
    builder.append(51, 0, false, Buffer.from('new'));
    const rows = RowBlock.parse(builder.take());
    const after = {
      ...behind,
      timeline: 2,
      first: 51,
      last: 51,
      rows,
      rowBlock: rows.bytes,
      sequence: 4,
      lastPartSequence: 4,
    } as EventRead;
    const steps = await cut([
      first!,
      second!,
      start({ timeline: 2, cause: 'fork', sequence: 3, lastPartSequence: 3 }),
      after,
    ]);
    expect(steps.map(({ kind, position }) => [kind, position.timeline, position.revision, position.sequence])).toEqual([
      ['delta', 1, 13, 2],
      ['start', 2, 50, 3],
      ['delta', 2, 51, 4],
    ]);
    expect(steps[1]).toMatchObject({ previous: { timeline: 1, revision: 13 } });
  });

  it('passes over a start that says what is known', async () => {
    const steps = await cut([
      start({ cause: 'resume', revision: 10 }),
      ...eventsOf([{ revisions: 1, bytes: 10, leases: 0 }]),
    ]);
    expect(steps.map(({ kind }) => kind)).toEqual(['delta']);
  });

  it('never goes on behind a hole or in another timeline, whatever the reader believed', async () => {
    const events = eventsOf([{ revisions: 2, bytes: 10, leases: 0 }]);
    expect(await cut(events, { from: { ...ORIGIN, revision: 9 } })).toEqual([]);
    expect(await cut(events, { from: { ...ORIGIN, timeline: 2 } })).toEqual([]);
    expect(await cut([start({}), ...events], { from: { ...ORIGIN, timeline: 2 } })).toEqual([]);
    expect(await cut(events)).toHaveLength(1);
  });

  it('counts no rows before the first start when nothing is recorded', async () => {
    const events = eventsOf([{ revisions: 2, bytes: 10, leases: 0 }]);
    expect(await cut(events, { from: undefined })).toEqual([]);
    const steps = await cut([start({ cause: 'first', revision: 10, sequence: 0, lastPartSequence: 0 }), ...events], {
      from: undefined,
    });
    expect(steps.map(({ kind }) => kind)).toEqual(['start', 'delta']);
    expect(steps[0]).toMatchObject({ previous: undefined });
  });
});
