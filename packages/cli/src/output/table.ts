import { displayWidth, padDisplay, wrap } from '../help/layout.ts';

const GAP = '  ';
/** A rule longer than this says nothing about the column below it. */
const RULE_MAX = 80;
/** With less room than this, a text is not broken into words below each other. */
const ROOM_MIN = 24;
const CELL_INDENT = ' '.repeat(4);

/**
 * A plain table: headings, then rows; numbers to the right. On a terminal the last column is kept inside of its width: texts are wrapped,
 * and what cannot be broken (keys, paths) stands on a line of its own.
 */
export function renderTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  terminalWidth: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  const widths = headings.map((heading, column) =>
    Math.max(displayWidth(heading), ...rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  const numeric = headings.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d.,]*( ?[kMGT]?B| ms| s)?$/.test(row[column] ?? '')),
  );
  const last = headings.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = (terminalWidth ?? Infinity) - before;
  const line = (cells: readonly string[]): string => {
    const aligned = cells.slice(0, last).map((cell, column) => align(cell, widths[column]!, numeric[column] === true));
    const [first, ...more] = lastCell(cells[last] ?? '', {
      room,
      width: widths[last]!,
      numeric: numeric[last] === true,
    });
    return [
      [...aligned, first].join(GAP),
      ...more.map(({ text, own }) => (own ? CELL_INDENT : ' '.repeat(before)) + text),
    ]
      .map((text) => text.trimEnd())
      .join('\n');
  };
  const rules = widths.map((width) => '-'.repeat(Math.max(1, Math.min(width, RULE_MAX))));
  rules[last] = rules[last]!.slice(0, Math.max(ROOM_MIN, Math.min(room, RULE_MAX)));
  return [line(headings), rules.join(GAP), ...rows.map(line)].join('\n');
}

function align(cell: string, width: number, numeric: boolean): string {
  return numeric ? ' '.repeat(Math.max(0, width - displayWidth(cell))) + cell : padDisplay(cell, width);
}

function lastCell(
  cell: string,
  { room, width, numeric }: { room: number; width: number; numeric: boolean },
): [first: string, ...more: { text: string; own: boolean }[]] {
  if (displayWidth(cell) <= room) return [align(cell, numeric ? width : 0, numeric)];
  const words = Math.max(...cell.split(/\s+/).map(displayWidth));
  if (room < ROOM_MIN || (words > room && !cell.includes(' '))) return ['', { text: cell, own: true }];
  const [first = '', ...more] = wrap(cell, room);
  return [first, ...more.map((text) => ({ text, own: false }))];
}

/** 1234567 -> '1.2 MB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** 1234 -> '1,234'. For whole numbers; a first `toLocaleString` would take longer than all else that a command prints. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** 1, 'delta' -> '1 delta'; 2, 'delta' -> '2 deltas'. */
export function formatNumberOf(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** 1500 -> '1.5 s'; 12 -> '12 ms'. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
