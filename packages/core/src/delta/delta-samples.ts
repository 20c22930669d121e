import { RowBlock, RowBlockBuilder } from '../mvcc/row-block.ts';
import { DeltaEncoder } from './delta-encoder.ts';
import type { DeltaIdentity } from './delta-format.ts';

/** Rows for tests of the formats: data only, made the same way each time. Not exported from the package. */
export const SAMPLE_IDENTITY: DeltaIdentity = {
  clusterId: 0xcdf818194e3a8c32n,
  timeline: 1,
  epoch: '00112233445566778899aabbccddeeff',
};

export interface SampleRow {
  main: number;
  sub: number;
  tombstone: boolean;
  value: Uint8Array;
}

export function blockOf(rows: readonly SampleRow[]): RowBlock {
  const builder = new RowBlockBuilder();
  for (const row of rows) builder.append(row.main, row.sub, row.tombstone, row.value);
  return RowBlock.parse(builder.take());
}

/** Revisions `first` to `last`: each with 1 to 3 rows, every fifth row a tombstone, values of `valueBytes` and a bit. */
export function sampleRows(first: number, last: number, valueBytes = 20): SampleRow[] {
  const rows: SampleRow[] = [];
  for (let main = first; main <= last; main++) {
    for (let sub = 0; sub <= main % 3; sub++) {
      const tombstone = (main * 3 + sub) % 5 === 4;
      rows.push({
        main,
        sub,
        tombstone,
        value: Buffer.from(`key-${main}-${sub}-`.padEnd(valueBytes + ((main * 7) % 13), 'v')),
      });
    }
  }
  return rows;
}

export interface SampleOptions extends Partial<DeltaIdentity> {
  first?: number;
  last?: number;
  valueBytes?: number;
  withLeases?: boolean;
  withTimes?: boolean;
}

export function sampleDelta(options: SampleOptions = {}): Buffer {
  const { first = 101, last = 120, valueBytes, withLeases = true, withTimes = true, ...identity } = options;
  const encoder = new DeltaEncoder({ ...SAMPLE_IDENTITY, ...identity });
  encoder.addRows(blockOf(sampleRows(first, last, valueBytes)));
  if (withLeases) {
    encoder.addLeases([
      { id: 0x694d7a2b1c0d0e0fn, grantedTtlSeconds: 60, askedAtRevision: first, source: 'ttl' },
      { id: -5n, grantedTtlSeconds: 0, askedAtRevision: last, source: 'gone' },
    ]);
  }
  if (withTimes) {
    encoder.addTime(first, 1_790_000_000_000);
    encoder.addTime(last, 1_790_000_001_500);
  }
  return encoder.finish().bytes;
}
