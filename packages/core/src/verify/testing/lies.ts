import fc from 'fast-check';
import { encodeRevisionKey } from '../../mvcc/revision.ts';
import { rowsOfHistory, type ModelRow, type Operation } from '../../mvcc/testing/model-store.ts';

/** Histories of a few keys: transactions, deletions, leases, values of many lengths. */
export const history: fc.Arbitrary<Operation[][]> = fc.array(
  fc
    .uniqueArray(
      fc.record({
        key: fc.integer({ min: 0, max: 9 }).map((number) => `k${number}`),
        deleted: fc.boolean(),
        lease: fc.constantFrom(0n, 0n, 77n, -5n),
        valueBytes: fc.constantFrom(0, 1, 20, 200, 3_000),
      }),
      { minLength: 1, maxLength: 4, selector: ({ key }) => key },
    )
    .map((operations) =>
      operations.map(({ key, deleted, lease, valueBytes }): Operation => {
        return deleted ? { key, deleted: true } : { key, lease, valueBytes };
      }),
    ),
  { minLength: 6, maxLength: 60 },
);

/** What a compaction at `revision` leaves: of each key the newest row up to it, unless that is a deletion, and all above. */
export function compacted(rows: readonly ModelRow[], revision: number): ModelRow[] {
  const newest = new Map<string, ModelRow>();
  for (const row of rows) if (row.main <= revision) newest.set(row.userKey, row);
  return rows.filter((row) => row.main > revision || (newest.get(row.userKey) === row && !row.tombstone));
}

/** What a writer that lies does to one row; the others stay as they are. All of it makes a sound delta. */
export const LIES = [
  'another byte',
  'another lease',
  'a longer value',
  'a row less',
  'a row more',
  'a deletion',
] as const;
export type Lie = (typeof LIES)[number];

export interface Told {
  rows: ModelRow[];
  /** The revision that is not what the cluster held. */
  revision: number;
  /** The row that was changed or dropped; undefined for one that was made up. */
  row: ModelRow | undefined;
}

/** Undefined where the lie does not fit. */
export function tell(rows: readonly ModelRow[], lie: Lie, at: number): Told | undefined {
  const index = at % rows.length;
  const row = rows[index]!;
  const isLast = rows[index + 1]?.main !== row.main;
  const replaced = (changed: ModelRow): Told => {
    return { rows: rows.with(index, changed), revision: row.main, row };
  };
  switch (lie) {
    case 'another byte': {
      if (row.tombstone) return undefined;
      const value = Buffer.from(row.value);
      value[value.length - 1]! ^= 1;
      return replaced({ ...row, value });
    }
    case 'another lease': {
      if (row.tombstone) return undefined;
      const [other] = rowsOfHistory([[{ key: row.userKey, lease: row.lease + 1n, valueBytes: 3 }]]);
      return replaced({ ...row, value: other!.value });
    }
    case 'a longer value':
      return row.tombstone
        ? undefined
        : replaced({ ...row, value: Buffer.concat([row.value, Buffer.from([0x38, 1])]) });
    case 'a row less':
      if (!isLast || row.sub === 0) return undefined;
      return { rows: rows.toSpliced(index, 1), revision: row.main, row };
    case 'a row more': {
      if (!isLast) return undefined;
      const { main, userKey } = row;
      const made = { ...row, sub: row.sub + 1, key: encodeRevisionKey(main, row.sub + 1, row.tombstone), userKey };
      return { rows: rows.toSpliced(index + 1, 0, made), revision: main, row: undefined };
    }
    case 'a deletion': {
      if (row.tombstone) return undefined;
      const value = Buffer.concat([Buffer.from([0x0a, row.userKey.length]), Buffer.from(row.userKey)]);
      return replaced({ ...row, tombstone: true, key: encodeRevisionKey(row.main, row.sub, true), value });
    }
  }
}

/** Cuts rows into deltas of whole revisions. */
export function cut(rows: readonly ModelRow[], revisionsEach: number): ModelRow[][] {
  const parts: ModelRow[][] = [];
  for (const row of rows) {
    const part = parts.at(-1);
    if (part === undefined || row.main >= part[0]!.main + revisionsEach) parts.push([row]);
    else part.push(row);
  }
  return parts;
}
