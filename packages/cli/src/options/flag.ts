import type { Said } from '../help/language.ts';
import type { SectionName } from './sections.ts';
import { ValueError } from './usage-error.ts';
import { parseBoolean, parseBytes, parseCount, parseDuration, parseList, parseText, parseTime } from './values.ts';

/** What is said about a flag, whatever its kind; help, completion, variables, configuration keys and docs/COMMANDS.md come from it. */
export interface FlagSpec extends Said {
  /** The word for its value in help: `--data-dir <path>`. */
  readonly value?: string;
  readonly short?: string;
  /** Other spellings of the same flag: the seed's, etcdctl's, gardener's. */
  readonly aliases?: readonly string[];
  /** Under which heading help shows it; by default that of the command itself. */
  readonly section?: SectionName;
  /** Names of flags that cannot be given together with this one. */
  readonly conflicts?: readonly string[];
  /**
   * Beside this flag the spelling `by`, otherwise that of another flag, is a switch without a value: it turns this flag into `to`.
   * For etcdctl's users, who write `KEY --prefix`.
   */
  readonly widened?: { readonly by: string; readonly to: string };
  /** What help says instead of the plain default. */
  readonly defaultText?: Said;
  /** Said on standard error when it is used. */
  readonly warning?: Said;
  /** What a shell completes its value with. */
  readonly completes?: 'file' | 'directory';
  /** What of its value must not be seen in the process list: all, or what stands behind a colon. */
  readonly secret?: 'whole' | 'behind-colon';
  /** Read from the command line and the environment only; the configuration file cannot hold it. */
  readonly notInFile?: boolean;
}

export type FlagKind = 'value' | 'list' | 'boolean' | 'unneeded';

/** `Value` is what the command gets; undefined belongs to it where there is no default. */
export interface Flag<Value = unknown> extends FlagSpec {
  readonly kind: FlagKind;
  readonly choices?: readonly string[];
  readonly defaultValue?: Value;
  /** @throws ValueError that says what a right value looks like. */
  parse(text: string): Value;
}

type Defaulted<Value> = FlagSpec & { readonly default: Value };

function flagOf<Value>(
  spec: FlagSpec & { readonly default?: Value },
  kind: FlagKind,
  parse: (text: string) => Value,
): Flag<Value> {
  const { default: defaultValue, ...rest } = spec;
  return { ...rest, kind, parse, ...(defaultValue === undefined ? {} : { defaultValue }) };
}

export function text(spec: Defaulted<string>): Flag<string>;
export function text(spec: FlagSpec): Flag<string | undefined>;
export function text(spec: FlagSpec): Flag<string | undefined> {
  return flagOf<string | undefined>({ value: 'text', ...spec }, 'value', parseText);
}

export function file(spec: Defaulted<string>): Flag<string>;
export function file(spec: FlagSpec): Flag<string | undefined>;
export function file(spec: FlagSpec): Flag<string | undefined> {
  return flagOf<string | undefined>({ value: 'file', completes: 'file', ...spec }, 'value', parseText);
}

export function directory(spec: Defaulted<string>): Flag<string>;
export function directory(spec: FlagSpec): Flag<string | undefined>;
export function directory(spec: FlagSpec): Flag<string | undefined> {
  return flagOf<string | undefined>({ value: 'path', completes: 'directory', ...spec }, 'value', parseText);
}

export function count(spec: Defaulted<number>): Flag<number>;
export function count(spec: FlagSpec): Flag<number | undefined>;
export function count(spec: FlagSpec): Flag<number | undefined> {
  return flagOf<number | undefined>({ value: 'count', ...spec }, 'value', parseCount);
}

/** In bytes. */
export function bytes(spec: Defaulted<number>): Flag<number>;
export function bytes(spec: FlagSpec): Flag<number | undefined>;
export function bytes(spec: FlagSpec): Flag<number | undefined> {
  return flagOf<number | undefined>({ value: 'bytes', ...spec }, 'value', parseBytes);
}

/** In milliseconds; the default is written as a user writes it. */
export function duration(spec: Defaulted<string>): Flag<number>;
export function duration(spec: FlagSpec): Flag<number | undefined>;
export function duration(spec: FlagSpec & { readonly default?: string }): Flag<number | undefined> {
  const { default: written, ...rest } = spec;
  const shown =
    written === undefined ? {} : { default: parseDuration(written), defaultText: { en: written, zh: written } };
  return flagOf<number | undefined>({ value: 'duration', ...rest, ...shown }, 'value', parseDuration);
}

/** In milliseconds since the epoch. */
export function time(spec: FlagSpec): Flag<number | undefined> {
  return flagOf<number | undefined>({ value: 'time', ...spec }, 'value', parseTime);
}

export function choice<const Choice extends string>(
  choices: readonly Choice[],
  spec: Defaulted<NoInfer<Choice>>,
): Flag<Choice>;
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  spec: FlagSpec,
): Flag<Choice | undefined>;
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  spec: FlagSpec,
): Flag<Choice | undefined> {
  const parse = (given: string): Choice => {
    // Upper and lower case are the same to whoever types it at night.
    const found = choices.find((one) => one.toLowerCase() === given.toLowerCase());
    if (found === undefined) {
      throw new ValueError({ en: `It is one of ${choices.join(', ')}.`, zh: `只能是 ${choices.join('、')} 之一。` });
    }
    return found;
  };
  return { ...flagOf<Choice | undefined>({ value: choices.join('|'), ...spec }, 'value', parse), choices };
}

/** Comma separated, and repeatable. */
export function list(spec: Defaulted<string[]>): Flag<string[]>;
export function list(spec: FlagSpec): Flag<string[] | undefined>;
export function list(spec: FlagSpec): Flag<string[] | undefined> {
  return flagOf<string[] | undefined>({ value: 'list', ...spec }, 'list', parseList);
}

/** Repeatable, each as it is written: values may hold commas. */
export function texts(spec: FlagSpec): Flag<string[] | undefined> {
  return flagOf<string[] | undefined>({ value: 'text', ...spec }, 'list', (given) => [given]);
}

/** `--flag`, `--flag true`, `--flag=false`, `--no-flag`; false unless said otherwise. */
export function boolean(spec: FlagSpec & { readonly default?: boolean }): Flag<boolean> {
  return flagOf<boolean>({ default: false, ...spec }, 'boolean', parseBoolean);
}

/** A flag of another tool that has no work to do here: it is taken with its value, and `en`/`zh` say why it is not needed. */
export function unneeded(spec: FlagSpec): Flag<undefined> {
  return flagOf<undefined>({ value: 'value', ...spec }, 'unneeded', () => undefined);
}
