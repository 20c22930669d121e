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
  const byName = flagsByName(flags);
  const byShort = new Map(
    flags.flatMap((named) => (named.flag.short === undefined ? [] : [[named.flag.short, named] as const])),
  );
  const given: GivenValue[] = [];
  const positional: string[] = [];
  const unknown: string[] = [];
  const problems: UsageProblem[] = [];
  let helpAsked = false;

  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    if (argument === '--') {
      positional.push(...args.slice(index + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      positional.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const spelling = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    if (spelling === '--help' || spelling === '-h') {
      helpAsked = true;
      continue;
    }
    const named = spelling.startsWith('--') ? byName.get(spelling.slice(2)) : byShort.get(spelling.slice(1));
    if (named === undefined) {
      const negated = spelling.startsWith('--no-') ? byName.get(spelling.slice(5)) : undefined;
      if (negated?.flag.kind !== 'boolean') unknown.push(spelling);
      else if (inline === undefined) given.push({ named: negated, spelling, text: 'false' });
      else
        problems.push({
          message: `${spelling} takes no value, but ${inline} was given`,
          remedy: `Write ${spelling}, or --${negated.name}=${inline}.`,
        });
      continue;
    }
    const next = args[index + 1];
    if (inline !== undefined) {
      given.push({ named, spelling, text: inline });
    } else if (named.flag.kind === 'boolean') {
      const isValue = next !== undefined && /^(true|false)$/i.test(next);
      given.push({ named, spelling, text: isValue ? next : 'true' });
      if (isValue) index++;
    } else if (next === undefined || (next.startsWith('--') && next !== '--')) {
      problems.push({
        message: `${spelling} needs a value`,
        remedy: `Write ${spelling} <${named.flag.value ?? 'value'}>; a value that begins with -- needs ${spelling}=<value>.`,
      });
    } else {
      given.push({ named, spelling, text: next });
      index++;
    }
  }
  return { given, positional, helpAsked, unknown, problems };
}
