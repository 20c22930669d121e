import { flagsByName, type NamedFlag } from './flag-index.ts';
import type { UsageProblem } from './usage-error.ts';

/** A value on the command line, as it was written there. */
export interface GivenValue {
  readonly named: NamedFlag;
  /** `--cacert`, `-o`, `--no-verify`: the spelling used. */
  readonly spelling: string;
  readonly text: string;
}

export interface ReadArguments {
  readonly given: readonly GivenValue[];
  readonly positional: readonly string[];
  readonly helpAsked: boolean;
  /** Spellings that no flag has, with what follows them; the caller finds the nearest name. */
  readonly unknown: readonly string[];
  readonly problems: readonly UsageProblem[];
}

/**
 * Takes `--flag v`, `--flag=v`, `-f v`, `-f=v`; for booleans also `--flag`, `--flag false` and `--no-flag`. After `--` everything is
 * positional. Goes on after a mistake, so that all are told at once.
 */
export function readArguments(args: readonly string[], flags: readonly NamedFlag[]): ReadArguments {
  const reader = new ArgumentReader(args, flags);
  reader.readAll();
  return reader;
}

class ArgumentReader implements ReadArguments {
  readonly given: GivenValue[] = [];
  readonly positional: string[] = [];
  readonly unknown: string[] = [];
  readonly problems: UsageProblem[] = [];
  helpAsked = false;
  readonly #rest: string[];
  readonly #byName: ReadonlyMap<string, NamedFlag>;
  readonly #byShort: ReadonlyMap<string, NamedFlag>;

  constructor(args: readonly string[], flags: readonly NamedFlag[]) {
    this.#rest = [...args];
    this.#byName = flagsByName(flags);
    this.#byShort = new Map(
      flags.flatMap((named) => (named.flag.short === undefined ? [] : [[named.flag.short, named] as const])),
    );
  }

  readAll(): void {
    for (let argument = this.#rest.shift(); argument !== undefined; argument = this.#rest.shift()) {
      if (argument === '--') this.positional.push(...this.#rest.splice(0));
      else if (!argument.startsWith('-') || argument === '-') this.positional.push(argument);
      else this.#readFlag(argument);
    }
  }

  #readFlag(argument: string): void {
    const equals = argument.indexOf('=');
    const spelling = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    if (spelling === '--help' || spelling === '-h') {
      this.helpAsked = true;
      return;
    }
    const known = spelling.startsWith('--') ? this.#byName : this.#byShort;
    const named = known.get(spelling.replace(/^--?/, ''));
    if (named === undefined) this.#readNegated(spelling, inline);
    else this.#readValue(named, { spelling, inline });
  }

  #readNegated(spelling: string, inline: string | undefined): void {
    const negated = spelling.startsWith('--no-') ? this.#byName.get(spelling.slice('--no-'.length)) : undefined;
    if (negated?.flag.kind === 'boolean' && inline === undefined) {
      this.given.push({ named: negated, spelling, text: 'false' });
    } else if (negated?.flag.kind === 'boolean') {
      this.problems.push({
        message: {
          en: `${spelling} takes no value, but ${inline} was given`,
          zh: `${spelling} 不带值，却给了 ${inline}`,
        },
        remedy: {
          en: `Write ${spelling}, or --${negated.name}=${inline}.`,
          zh: `请写 ${spelling}，或 --${negated.name}=${inline}。`,
        },
      });
    } else {
      this.unknown.push(spelling);
      // Most likely its value; to call that one a mistake of its own would only confuse.
      if (inline === undefined && this.#rest[0]?.startsWith('-') === false) this.#rest.shift();
    }
  }

  #readValue(named: NamedFlag, { spelling, inline }: { spelling: string; inline: string | undefined }): void {
    const [next] = this.#rest;
    const isBoolean = named.flag.kind === 'boolean';
    if (inline !== undefined) {
      this.given.push({ named, spelling, text: inline });
    } else if (isBoolean && !(next !== undefined && /^(true|false)$/i.test(next))) {
      this.given.push({ named, spelling, text: 'true' });
    } else if (next === undefined || next.startsWith('--')) {
      this.problems.push({
        message: { en: `${spelling} needs a value`, zh: `${spelling} 需要一个值` },
        remedy: {
          en: `Write ${spelling} <${named.flag.value ?? 'value'}>; a value that begins with -- needs ${spelling}=<value>.`,
          zh: `请写 ${spelling} <${named.flag.value ?? 'value'}>；以 -- 开头的值需写成 ${spelling}=<value>。`,
        },
      });
    } else {
      this.given.push({ named, spelling, text: next });
      this.#rest.shift();
    }
  }
}
