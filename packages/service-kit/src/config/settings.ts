import { z } from 'zod';

/** Building blocks of settings: environment values are texts, so each of these reads a text (or takes the typed value from code). */

export function integerSetting(options: { min: number; max: number; default: number }) {
  return z
    .union([
      z.number(),
      z
        .string()
        .trim()
        .regex(/^-?\d+$/, 'must be a whole number')
        .transform(Number),
    ])
    .pipe(z.number().int().min(options.min).max(options.max))
    .default(options.default);
}

export function booleanSetting(options: { default: boolean }) {
  return z
    .union([
      z.boolean(),
      z.enum(['true', 'false', '1', '0', 'yes', 'no']).transform((text) => ['true', '1', 'yes'].includes(text)),
    ])
    .default(options.default);
}

/** Names separated by commas; blanks round them do not count. */
export function listSetting() {
  return z
    .union([
      z.array(z.string()),
      z.string().transform((text) =>
        text
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      ),
    ])
    .default([]);
}
