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
  /** The flag on the line that a switch beside it widens, and whether that switch was given. */
  readonly #widened: NamedFlag | undefined;
  #isWide = false;

  constructor(args: readonly string[], flags: readonly NamedFlag[]) {
    this.#rest = [...args];
    this.#byName = flagsByName(flags);
    this.#byShort = new Map(
      flags.flatMap((named) => (named.flag.short === undefined ? [] : [[named.flag.short, named] as const])),
    );
    this.#widened = flags.find(({ name, flag }) => flag.widened !== undefined && isOnLine(name, args));
  }

  readAll(): void {
    for (let argument = this.#rest.shift(); argument !== undefined; argument = this.#rest.shift()) {
      if (argument === '--') this.positional.push(...this.#rest.splice(0));
      else if (!argument.startsWith('-') || argument === '-') this.positional.push(argument);
      else this.#readFlag(argument);
    }
    if (this.#isWide) this.#widen();
  }

  #readFlag(argument: string): void {
    const equals = argument.indexOf('=');
    const spelling = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    if (spelling === '--help' || spelling === '-h') {
      this.helpAsked = true;
      return;
    }
    if (this.#widened !== undefined && spelling === `--${this.#widened.flag.widened!.by}`) {
      this.#readSwitch(this.#widened, { spelling, inline });
      return;
    }
    const known = spelling.startsWith('--') ? this.#byName : this.#byShort;
    const named = known.get(spelling.replace(/^--?/, ''));
    if (named === undefined) this.#readNegated(spelling, inline);
    else this.#readValue(named, { spelling, inline });
  }

  /** `--before-delete KEY --prefix`. A value behind it would be the other flag's: which of the two is meant must be said. */
  #readSwitch(widened: NamedFlag, { spelling, inline }: { spelling: string; inline: string | undefined }): void {
    const isValue = (text: string | undefined): text is string => text !== undefined && !text.startsWith('-');
    const value = inline ?? (isValue(this.#rest[0]) ? this.#rest.shift() : undefined);
    if (value === undefined || /^(true|false)$/i.test(value)) {
      this.#isWide = value?.toLowerCase() !== 'false';
      return;
    }
    const other = this.#byName.get(spelling.slice(2))!.name;
    const { name, flag } = widened;
    this.problems.push({
      message: {
        en: `${spelling} beside --${name} takes no value, but ${value} was given`,
        zh: `${spelling} 与 --${name} 同用时不带值，却给了 ${value}`,
      },
      remedy: {
        en: `For all keys that begin so, write --${flag.widened!.to} ${value}; otherwise --${other} ${value}.`,
        zh: `若指以此开头的所有 key，请写 --${flag.widened!.to} ${value}；否则请写 --${other} ${value}。`,
      },
    });
  }

  #widen(): void {
    const from = this.#widened!;
    const to = this.#byName.get(from.flag.widened!.to)!;
    for (const [index, value] of this.given.entries()) {
      if (value.named === from) this.given[index] = { ...value, named: to };
    }
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

function isOnLine(name: string, args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).some((one) => one === `--${name}` || one.startsWith(`--${name}=`));
}
