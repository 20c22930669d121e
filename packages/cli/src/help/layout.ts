/** Columns that a text takes on a terminal: Chinese characters and full-width marks take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  return width;
}

function isWide(codePoint: number): boolean {
  return (
    (codePoint >= 0x2e80 && codePoint <= 0xa4cf) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0xff00 && codePoint <= 0xff60)
  );
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
