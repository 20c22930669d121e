import { closeSync, openSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { RowBlock, RowBlockBuilder } from '../mvcc/row-block.ts';
import { BoltFile } from './bolt-file.ts';
import { BoltWriter } from './bolt-writer.ts';
import { checkBoltFile } from './check.ts';
import { GOLDEN_SNAPSHOT, Scratch } from './testing/scratch.ts';
import { WindowFlights } from './window-flights.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

/** Some windows of rows; revisions from `first` on. */
function block(first: number, valueBytes: readonly number[]): RowBlock {
  const builder = new RowBlockBuilder();
  valueBytes.forEach((bytes, index) => builder.append(first + index, 0, false, Buffer.alloc(bytes, index)));
  return RowBlock.parse(builder.take());
}

describe('a writer that writes behind', { timeout: 60_000 }, () => {
  test('makes the same bytes, whenever it settles, is read from, or commits', async () => {
    const part = fc.record({
      valueBytes: fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.integer({ min: 100_000, max: 900_000 }) },
          { weight: 2, arbitrary: fc.nat(3000) },
          { weight: 1, arbitrary: fc.constant(5_000_000) },
        ),
        { minLength: 1, maxLength: 12 },
      ),
      after: fc.constantFrom('nothing', 'settle', 'turn', 'read', 'commit', 'commitAsync'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
        const [plain, behind] = [scratch.file(), scratch.file()];
        {
          using expected = BoltWriter.create(plain, { pageSize: 512 });
          using writer = BoltWriter.create(behind, { pageSize: 512, writeBehind: true });
          let first = 2;
          for (const { valueBytes, after } of parts) {
            const rows = block(first, valueBytes);
            first += valueBytes.length;
            for (const one of [expected, writer]) {
              const edge = one.rightEdge('key');
              edge.appendRows(rows, 0, rows.rowCount);
              edge.finish();
              if (after === 'read') expect([...one.bucket('key')!.leaves()].length).toBeGreaterThan(0);
              if (after.startsWith('commit') && one === expected) one.commit({ sync: false });
              if (after === 'commit' && one === writer) one.commit({ sync: false });
            }
            if (after === 'commitAsync') await writer.commitAsync({ sync: false });
            if (after === 'settle') await writer.settle(1);
            if (after === 'turn') await new Promise(setImmediate);
          }
          expected.commit({ sync: false });
          await writer.commitAsync();
        }
        expect(Buffer.compare(readFileSync(plain), readFileSync(behind))).toBe(0);
        using file = BoltFile.open(behind);
        await checkBoltFile(file);
      }),
      { numRuns: 25, interruptAfterTimeLimit: 15_000 },
    );
  });

  test('windows in flight between two turns all come back to be used again', async () => {
    const descriptor = openSync(scratch.file(), 'w');
    const flights = new WindowFlights('the file', descriptor);
    const windows = Array.from({ length: 4 }, (_, index) => {
      const buffer = Buffer.alloc(10, index);
      return { buffer, view: new DataView(buffer.buffer) };
    });
    for (const [index, window] of windows.entries()) flights.send({ window, bytes: 10, offset: 10 * index });
    expect(flights.takeSpare()).toBeUndefined();
    await flights.settle(0);
    const spares = new Set(windows.map(() => flights.takeSpare()));
    expect(spares).toEqual(new Set(windows));
    closeSync(descriptor);
  });

  test('a failed write is told at every later settle and reading', async () => {
    // Open for reading only: the system refuses each write.
    const descriptor = openSync(GOLDEN_SNAPSHOT, 'r');
    const flights = new WindowFlights('the file', descriptor);
    const buffer = Buffer.alloc(10);
    flights.send({ window: { buffer, view: new DataView(buffer.buffer) }, bytes: 10, offset: 0 });
    expect(() => flights.landNow()).toThrow('Cannot write the file at 0');
    await flights.ended();
    expect(flights.isEmpty).toBe(true);
    await expect(flights.settle(0)).rejects.toMatchObject({ code: 'DISK_FAILED' });
    await expect(flights.settle(1)).rejects.toMatchObject({ code: 'DISK_FAILED' });
    expect(() => flights.landNow()).toThrow('Cannot write the file at 0');
    closeSync(descriptor);
  });
});
