/** Columns that a text takes on a terminal: Chinese characters, full-width marks and emoji take two, marks above a letter none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!/\p{Mn}/u.test(character)) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  }
  return width;
}

/** First and last code points, as the East Asian Width of Unicode has them. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

function isWide(codePoint: number): boolean {
  return WIDE.some(([first, last]) => codePoint >= first && codePoint <= last);
}

export function padDisplay(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** Breaks between words, and between any two Chinese characters; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const pieces =
    text.match(/[\u2E80-\uA4CF\uF900-\uFAFF\uFF00-\uFF60]|[^\s\u2E80-\uA4CF\uF900-\uFAFF\uFF00-\uFF60]+|\s+/g) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const piece of pieces) {
    // A Chinese full stop or comma never begins a line.
    const closes = /^[，。；：、！？）」]/.test(piece);
    if (!closes && line !== '' && displayWidth(line) + displayWidth(piece.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += line === '' ? piece.trimStart() : piece;
  }
  if (line.trimEnd() !== '') lines.push(line.trimEnd());
  return lines;
}

export interface TwoColumnRow {
  left: string;
  right: string;
}

/** A list of terms and their meaning; a term that is too long has its meaning on the next line. */
export function twoColumns(rows: readonly TwoColumnRow[], options: { width: number; leftMax: number }): string[] {
  const left = Math.min(options.leftMax, Math.max(...rows.map((row) => displayWidth(row.left))));
  const indent = ' '.repeat(left + 4);
  return rows.flatMap((row) => {
    const [first = '', ...more] = wrap(row.right, options.width - left - 4);
    const rest = more.map((line) => indent + line);
    if (displayWidth(row.left) > left) return [`  ${row.left}`, indent + first, ...rest];
    return [`  ${padDisplay(row.left, left)}  ${first}`.trimEnd(), ...rest];
  });
}
