import { type Command, flagName } from './define-command.ts';
import type { Flag } from './flag.ts';
import { configFlag } from './general-flags.ts';

/** One flag of one command, under the name that help shows. */
export interface NamedFlag {
  /** As the command reads it: `dataDir`. */
  readonly key: string;
  /** `data-dir`. */
  readonly name: string;
  readonly flag: Flag;
}

/** Every flag of a command, `--config` among them unless the command has one of its own. */
export function flagsOf(command: Pick<Command, 'flags'>): NamedFlag[] {
  const own = Object.entries(command.flags).map(([key, flag]) => ({ key, name: flagName(key), flag }));
  return 'config' in command.flags ? own : [...own, { key: 'config', name: 'config', flag: configFlag }];
}

/** True when `--config` (or ETCD_OPS_CONFIG) names the file of settings, false when the command gives it a meaning of its own. */
export function readsConfigFile(command: Pick<Command, 'flags'>): boolean {
  return !('config' in command.flags);
}

/** By every spelling, without dashes in front. */
export function flagsByName(flags: readonly NamedFlag[]): Map<string, NamedFlag> {
  const byName = new Map<string, NamedFlag>();
  for (const named of flags) {
    for (const name of [named.name, ...(named.flag.aliases ?? [])]) byName.set(name, named);
  }
  return byName;
}

/** What a user may write, with dashes; `--no-` forms of booleans are known but not listed. */
export function spellings({ name, flag }: NamedFlag): string[] {
  return [
    ...(flag.short === undefined ? [] : [`-${flag.short}`]),
    `--${name}`,
    ...(flag.aliases ?? []).map((alias) => `--${alias}`),
  ];
}

/** The default as a user would write it; undefined when there is none. */
export function writtenDefault({ defaultValue }: Flag): string | undefined {
  if (typeof defaultValue === 'string') return defaultValue;
  if (typeof defaultValue === 'number' || typeof defaultValue === 'boolean') return String(defaultValue);
  return Array.isArray(defaultValue) ? defaultValue.join(',') : undefined;
}
