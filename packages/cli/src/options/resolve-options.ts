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
    if (source.contradiction !== undefined) problems.push(source.contradiction);
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

/**
 * One flag under two of its spellings, or in two of their variables, with two values: nobody can say which is meant. The same spelling
 * twice is another matter: there the last one counts, so that a script's flags can be overridden.
 */
function contradiction(
  named: NamedFlag,
  sources: readonly { origin: string; text: string }[],
): UsageProblem | undefined {
  if (named.flag.kind === 'list') return undefined;
  const last = sources.at(-1)!;
  const other = sources.findLast(
    ({ origin, text }) => positive(origin) !== positive(last.origin) && !isSame(named, text, last.text),
  );
  if (other === undefined) return undefined;
  const [one, two] = [other, last].map(({ origin, text }) => `${origin} "${text}"`);
  return {
    message: {
      en: `${one} and ${two} are the same option with two values`,
      zh: `${one} 与 ${two} 是同一个参数，值却不同`,
    },
    remedy: {
      en: `Keep one of them; its name is --${named.name}.`,
      zh: `请只保留一个；其名称为 --${named.name}。`,
    },
  };
}

/** `--no-x` is the spelling `--x`. */
function positive(spelling: string): string {
  return spelling.replace(/^--no-/, '--');
}

function isSame({ flag }: NamedFlag, one: string, other: string): boolean {
  if (one === other) return true;
  try {
    return flag.parse(one) === flag.parse(other);
  } catch {
    return false;
  }
}

interface Source {
  origin: string;
  texts: readonly string[];
  contradiction?: UsageProblem | undefined;
}

function sourceOf(named: NamedFlag, { given, environment, file }: Omit<OptionSources, 'flags'>): Source | undefined {
  const onLine = given.filter((value) => value.named.key === named.key);
  const last = onLine.at(-1);
  if (last !== undefined) {
    const texts = onLine.map((value) => value.text);
    const spelt = onLine.map(({ spelling, text }) => ({ origin: spelling, text }));
    return { origin: last.spelling, texts, contradiction: contradiction(named, spelt) };
  }
  const variables = variablesOf(named).flatMap((origin) => {
    const text = environment[origin];
    // As everywhere: an empty variable is one that is not set.
    return text === undefined || text === '' ? [] : [{ origin, text }];
  });
  const [variable] = variables;
  if (variable !== undefined) {
    const { origin, text } = variable;
    return { origin, texts: [text], contradiction: contradiction(named, variables.toReversed()) };
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
