import { variableName } from './define-command.ts';
import type { NamedFlag } from './flag-index.ts';
import type { GivenValue } from './read-arguments.ts';
import { type UsageProblem, ValueError } from './usage-error.ts';

/** A value of the configuration file: lists come as several texts. */
export interface FileValue {
  readonly key: string;
  readonly texts: readonly string[];
  /** `etcd-ops.yaml, line 3`. */
  readonly where: string;
}

export interface OptionSources {
  readonly flags: readonly NamedFlag[];
  readonly given: readonly GivenValue[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: readonly FileValue[];
}

export interface ResolvedOptions {
  readonly options: Record<string, unknown>;
  /** Flags that were given a value, with where it came from: `--bucket`, `ETCD_OPS_BUCKET`, `etcd-ops.yaml, line 3`. */
  readonly used: ReadonlyMap<string, { readonly named: NamedFlag; readonly origin: string }>;
  readonly problems: readonly UsageProblem[];
}

/** The first source that has a value wins: flag, environment, configuration file, default. */
export function resolveOptions({ flags, given, environment, file }: OptionSources): ResolvedOptions {
  const options: Record<string, unknown> = {};
  const used = new Map<string, { named: NamedFlag; origin: string }>();
  const problems: UsageProblem[] = [];
  for (const named of flags) {
    const source = sourceOf(named, { given, environment, file });
    if (source === undefined) {
      if (named.flag.defaultValue !== undefined) options[named.key] = named.flag.defaultValue;
      continue;
    }
    used.set(named.key, { named, origin: source.origin });
    try {
      const values = source.texts.map((text) => named.flag.parse(text));
      // Lists gather what is repeated; of anything else the last one counts, as everywhere.
      const value = named.flag.kind === 'list' ? values.flat() : values.at(-1);
      if (value !== undefined) options[named.key] = value;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({
        message: {
          en: `${source.origin} is "${source.texts.join(',')}", which is not possible`,
          zh: `${source.origin} 的值 "${source.texts.join(',')}" 无效`,
        },
        remedy: error.said,
      });
    }
  }
  return { options, used, problems: [...problems, ...conflicts(used)] };
}

interface Source {
  origin: string;
  texts: readonly string[];
}

function sourceOf(named: NamedFlag, { given, environment, file }: Omit<OptionSources, 'flags'>): Source | undefined {
  const onLine = given.filter((value) => value.named.key === named.key);
  const last = onLine.at(-1);
  if (last !== undefined) return { origin: last.spelling, texts: onLine.map((value) => value.text) };
  for (const variable of variablesOf(named)) {
    const value = environment[variable];
    // As everywhere: an empty variable is one that is not set.
    if (value !== undefined && value !== '') return { origin: variable, texts: [value] };
  }
  const inFile = file.findLast((value) => value.key === named.key);
  return inFile === undefined ? undefined : { origin: inFile.where, texts: inFile.texts };
}

/** The variable of a flag's own name first, then those of its other spellings. */
export function variablesOf({ name, flag }: NamedFlag): string[] {
  return [name, ...(flag.aliases ?? [])].map(variableName);
}

function conflicts(used: ResolvedOptions['used']): UsageProblem[] {
  const origins = new Map([...used.values()].map(({ named, origin }) => [named.name, origin]));
  const problems: UsageProblem[] = [];
  const told = new Set<string>();
  for (const { named, origin } of used.values()) {
    for (const other of named.flag.conflicts ?? []) {
      const otherOrigin = origins.get(other);
      const pair = [named.name, other].toSorted().join(' ');
      if (otherOrigin === undefined || told.has(pair)) continue;
      told.add(pair);
      problems.push({
        message: {
          en: `${origin} and ${otherOrigin} cannot be given together`,
          zh: `${origin} 与 ${otherOrigin} 不能同时使用`,
        },
        remedy: { en: 'Leave one of them away.', zh: '请去掉其中一个。' },
      });
    }
  }
  return problems;
}
