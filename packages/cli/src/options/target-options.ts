import type { Flag } from './flag.ts';
import { directory } from './flag.ts';
import { repositoryFlags, type RepositoryOptions } from './repository-options.ts';

const { clusterName: _, bucket: __, ...copiedFlags } = repositoryFlags;
type CopiedFlags = typeof copiedFlags;

/** `storeEndpoint` -> `toStoreEndpoint`. */
type Target<Key extends string> = `to${Capitalize<Key>}`;
type TargetFlags = { [Key in keyof CopiedFlags as Target<Key>]: CopiedFlags[Key] };
type TargetKey = keyof TargetFlags;

/** The flags of a second store: those of the first, with `to-` before their names, and without their other spellings. */
export const targetFlags = {
  ...targetFlagsOf(),
  toBucket: directory({
    section: 'target',
    en: 'the bucket, or the folder (Local), that the copies go into',
    zh: '目标 bucket 或主机目录（Local）',
  }),
};

export type TargetOptions = {
  [
    Key in keyof RepositoryOptions as Key extends 'clusterName' | 'bucket' ? never : Target<Key>
  ]: RepositoryOptions[Key];
} & { toBucket?: string };

/** The same options as the first store has them. */
export function repositoryOf(
  options: TargetOptions,
  given: { clusterName: string; bucket: string },
): RepositoryOptions {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(copiedFlags)) {
    const value = options[targetKey(key)];
    if (value !== undefined) found[key] = value;
  }
  return { ...found, ...given } as RepositoryOptions;
}

function targetFlagsOf(): TargetFlags {
  const flags = Object.entries(copiedFlags as Readonly<Record<string, Flag>>).map(([key, flag]): [string, Flag] => {
    const { aliases: _aliases, conflicts, ...rest } = flag;
    const renamed = conflicts === undefined ? {} : { conflicts: conflicts.map((name) => `to-${name}`) };
    return [targetKey(key), { ...rest, ...renamed, section: 'target' }];
  });
  return Object.fromEntries(flags) as unknown as TargetFlags;
}

function targetKey(key: string): TargetKey {
  return `to${key.charAt(0).toUpperCase()}${key.slice(1)}` as TargetKey;
}
