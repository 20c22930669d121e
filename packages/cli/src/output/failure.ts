import { describeError, ERROR_CODES, EtcdOpsError } from '@etcd-ops/core';
import { UsageError, type UsageProblem } from '../options/usage-error.ts';

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
  const reason = error.cause === undefined ? ERROR_CODES[error.code].cause : describeError(error.cause);
  output.write(
    `etcd-ops: ${error.message}\n  why: ${reason}\n  do:  ${error.remedy}\n  (${error.code}, exit code ${error.exitCode})\n`,
  );
  return error.exitCode;
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
