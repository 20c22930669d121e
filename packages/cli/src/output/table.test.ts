import fc from 'fast-check';
import { expect, test } from 'vitest';
import { displayWidth } from '../help/layout.ts';
import { formatBytes, formatNumberOf, renderTable } from './table.ts';

test('numbers stand to the right, texts to the left, and nothing hangs over', () => {
  expect(
    renderTable(
      ['name', 'size'],
      [
        ['a', '1.2 MB'],
        ['bcdef', '12 B'],
      ],
      undefined,
    ),
  ).toBe(['name     size', '-----  ------', 'a      1.2 MB', 'bcdef    12 B'].join('\n'));
});

test('Chinese characters take two columns', () => {
  const [heading, rule, first, second] = renderTable(
    ['集群', 'x'],
    [
      ['生产', 'a'],
      ['prod-1', 'b'],
    ],
    undefined,
  ).split('\n');
  expect(rule).toBe('------  -');
  expect(first).toBe('生产    a');
  expect(second).toBe('prod-1  b');
  expect(displayWidth(heading!)).toBe(displayWidth(second!));
});

test('on a narrow terminal texts are wrapped below each other', () => {
  const text = 'etcd: no member can serve a watch, since nobody listens at the address that was given';
  const lines = renderTable(['what', 'said'], [['error', text]], 40).split('\n');
  expect(lines.every((line) => displayWidth(line) <= 40)).toBe(true);
  expect(lines.slice(2).every((line, index) => line.startsWith(index === 0 ? 'error  ' : '       '))).toBe(true);
  expect(
    lines
      .slice(2)
      .map((line) => line.slice(7))
      .join(' '),
  ).toBe(text);
});

test('what cannot be broken stands on a line of its own, whole', () => {
  const key = 'prod/t00000001/full/00000000000000000001-1795176877580.db';
  const lines = renderTable(['revision', 'key'], [['1', key]], 50).split('\n');
  expect(lines.slice(2)).toEqual(['       1', `    ${key}`]);
});

test('whatever the cells are, every word of them is there', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '中', '文', '，', '1'), maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 90 }),
      (rows, width) => {
        const shown = renderTable(['h', 'i'], rows, width).replaceAll(/\s+/g, '');
        for (const row of rows) for (const text of row) expect(shown).toContain(text.replaceAll(/\s+/g, ''));
      },
    ),
  );
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_234_567, '1.2 MB'],
  [98_000_000_000_000, '98 TB'],
])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test('one is not many', () => {
  expect([0, 1, 2_000].map((count) => formatNumberOf(count, 'delta'))).toEqual(['0 deltas', '1 delta', '2,000 deltas']);
});
