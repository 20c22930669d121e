import { describeError, ERROR_CODES, EtcdOpsError } from '@etcd-ops/core';
import { UsageError, type UsageProblem } from '../options/usage-error.ts';
import { oneLine } from './one-line.ts';

const UNEXPECTED_EXIT_CODE = 1;

/** Prints what happened, why and what to do; answers with the exit code that belongs to it. */
export function reportFailure(error: unknown, output: { write(text: string): unknown }): number {
  if (error instanceof UsageError) {
    output.write(usageText(error.problems));
    return ERROR_CODES.USAGE.exit;
  }
  if (!(error instanceof EtcdOpsError)) {
    output.write(unexpectedText(error));
    return UNEXPECTED_EXIT_CODE;
  }
  const lines = [
    `etcd-ops: ${oneLine(error.message)}`,
    `  why: ${oneLine(reasonOf(error))}`,
    `  do:  ${sentence(oneLine(error.remedy))}`,
    `  (${error.code}, exit code ${error.exitCode})`,
  ];
  output.write(`${lines.join('\n')}\n`);
  return error.exitCode;
}

/** The innermost cause that the message does not tell already; else what the code generally means. */
function reasonOf(error: EtcdOpsError): string {
  const told = oneLine(error.message);
  const reasons: string[] = [];
  for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    reasons.push(oneLine(cause instanceof Error ? cause.message : describeError(cause)));
  }
  return (
    reasons.findLast((reason) => reason !== '' && !told.includes(reason) && !OPENSSL_LINE.test(reason)) ??
    ERROR_CODES[error.code].cause
  );
}

/** `40CDC992F17F0000:error:0A00045C:SSL routines:...`: whoever wrote the message has translated it. */
const OPENSSL_LINE = /^[0-9A-F]+:error:/;

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function usageText(problems: readonly UsageProblem[]): string {
  const { cause, remedy, exit } = ERROR_CODES.USAGE;
  const end = `  (USAGE, exit code ${exit})\n`;
  const [only] = problems;
  if (problems.length === 1 && only !== undefined) {
    return `etcd-ops: ${only.message}\n  why: ${cause}\n  do:  ${only.remedy ?? remedy}\n${end}`;
  }
  const all = problems.map((problem) => `  - ${problem.message}\n    do: ${problem.remedy ?? remedy}\n`);
  return `etcd-ops: ${problems.length} settings are wrong\n${all.join('')}${end}`;
}

/** A bug, and said so: the stack is for whoever repairs it. */
function unexpectedText(error: unknown): string {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `etcd-ops: Something happened that etcd-ops does not know\n  why: ${told.split('\n').join('\n       ')}\n  do:  Run it again; if it recurs, report these lines. Nothing that was stored has been changed.\n  (unexpected, exit code ${UNEXPECTED_EXIT_CODE})\n`;
}
