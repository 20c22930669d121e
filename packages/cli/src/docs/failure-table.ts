import { ERROR_CODES, type ErrorCode } from '@etcd-ops/core';
import { EXIT_CODES } from '../help/exit-codes.ts';

const BEGIN = '<!-- made by packages/cli/src/docs/write-docs.ts -->';
const END = '<!-- end of what is made -->';

/** The part of docs/OPERATIONS.md that tells exit codes and failures. */
export function failureTables(): string {
  const codes = Object.entries(ERROR_CODES) as [ErrorCode, (typeof ERROR_CODES)[ErrorCode]][];
  const named = (exit: number): string =>
    codes
      .filter(([, facts]) => facts.exit === exit)
      .map(([code]) => `\`${code}\``)
      .join(' ');
  return [
    BEGIN,
    '',
    '| exit code | meaning | errors |',
    '|---|---|---|',
    ...Object.entries(EXIT_CODES).map(([exit, meaning]) => `| ${exit} | ${meaning.en} | ${named(Number(exit))} |`),
    '',
    'A program that is ended by a signal which it could not heed any more has 128 and the number of the signal, as everywhere.',
    '',
    '### Failures',
    '',
    'Each failure is told in three sentences on standard error: what happened to which thing, why, and what to do. This is the general case; the message names the file, key, revision or endpoint, and',
    'often a better remedy. "again" says whether the same call may succeed later without anybody changing anything: the daemon then tries by itself.',
    '',
    '| error | exit | why | what to do | again |',
    '|---|---|---|---|---|',
    ...codes.map(
      ([code, { exit, cause, remedy, retriable }]) =>
        `| \`${code}\` | ${exit} | ${cause} | ${remedy} | ${retriable ? 'yes' : ''} |`,
    ),
    '',
    END,
  ].join('\n');
}

/** Puts the tables where the old ones are. @throws Error when the page has no such place. */
export function withFailureTables(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/OPERATIONS.md has no part between "${BEGIN}" and "${END}"`);
  return page.slice(0, begin) + failureTables() + page.slice(end + END.length);
}
