import assert from 'node:assert/strict';

export const TIMELINE_DIGITS = 8;
export const REVISION_DIGITS = 20;
export const TIME_DIGITS = 13;

/** Numbers in names have leading zeros, so that names sort as the numbers do. */
export function digits(value: number, width: number): string {
  assert(
    Number.isSafeInteger(value) && value >= 0 && String(value).length <= width,
    `${value} does not fit into ${width} digits`,
  );
  return String(value).padStart(width, '0');
}
