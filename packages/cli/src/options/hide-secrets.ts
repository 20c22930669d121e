import type { Command } from './define-command.ts';
import { flagsOf, spellings } from './flag-index.ts';

const MASK = '********';

/**
 * The command line as the process list may show it: the values of secret flags are masked, of `name:password` what follows the colon.
 * Undefined when there is nothing to hide.
 */
export function withoutSecrets(args: readonly string[], command: Pick<Command, 'flags'>): string[] | undefined {
  const secretOf = new Map(
    flagsOf(command).flatMap((named) =>
      named.flag.secret === undefined
        ? []
        : spellings(named).map((spelling) => [spelling, named.flag.secret!] as const),
    ),
  );
  const shown = [...args];
  for (const [index, argument] of args.entries()) {
    const equals = argument.indexOf('=');
    const spelling = equals < 0 ? argument : argument.slice(0, equals);
    const secret = secretOf.get(spelling);
    if (secret === undefined) continue;
    if (equals >= 0) shown[index] = `${spelling}=${masked(argument.slice(equals + 1), secret)}`;
    else if (args[index + 1] !== undefined) shown[index + 1] = masked(args[index + 1]!, secret);
  }
  return shown.some((argument, index) => argument !== args[index]) ? shown : undefined;
}

function masked(value: string, secret: 'whole' | 'behind-colon'): string {
  if (secret === 'whole') return MASK;
  const colon = value.indexOf(':');
  return colon < 0 ? value : `${value.slice(0, colon)}:${MASK}`;
}
