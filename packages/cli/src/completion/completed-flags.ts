import type { NamedFlag } from '../options/flag-index.ts';

/** Flags that have no effect are understood, but offered to nobody. */
export function completedFlags(flags: readonly NamedFlag[]): NamedFlag[] {
  return flags.filter(({ flag }) => flag.kind !== 'unneeded');
}

/** The name that help shows, and how it is turned off; other spellings are for those who type them from memory. */
export function longSpellings({ name, flag }: NamedFlag): string[] {
  return flag.kind === 'boolean' ? [`--${name}`, `--no-${name}`] : [`--${name}`];
}
