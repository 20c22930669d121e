import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the reporter inside vitest tells the summary outside of it. `running` is what a run that died leaves behind. */
export interface TestTotals {
  readonly state: 'running' | 'finished';
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Failures that belong to no single test: a file that does not load, an unhandled rejection, a worker that died. */
  readonly troubles: readonly string[];
  readonly skips: readonly { readonly test: string; readonly reason: string }[];
}

export const emptyTotals: TestTotals = { state: 'running', passed: 0, failed: 0, skipped: 0, troubles: [], skips: [] };

const fileName = 'totals.json';

export function writeTotals(directory: string, totals: TestTotals): void {
  const path = join(directory, fileName);
  writeFileSync(`${path}.part`, JSON.stringify(totals));
  renameSync(`${path}.part`, path);
}

/** What the run left, or undefined when it did not get as far as starting vitest. */
export function readTotals(directory: string): TestTotals | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, fileName), 'utf8')) as TestTotals;
  } catch {
    return undefined;
  }
}

export interface Verdict {
  readonly green: boolean;
  readonly lines: readonly string[];
}

/** Turns the totals of a run and the exit code of its process into the words at the end; never green without proof. */
export function judge(totals: TestTotals | undefined, exitCode: number): Verdict {
  const { passed, skipped } = totals ?? emptyTotals;
  let { failed } = totals ?? emptyTotals;
  const lines: string[] = [];

  const reasons = new Map<string, string[]>();
  for (const { test, reason } of totals?.skips ?? []) {
    reasons.set(reason, [...(reasons.get(reason) ?? []), test]);
  }
  for (const [reason, tests] of reasons) {
    lines.push(`skipped ${tests.length}: ${reason}`, ...tests.map((test) => `  ${test}`));
  }

  lines.push(...(totals?.troubles ?? []).map((trouble) => `failed: ${trouble}`));
  if (totals?.state !== 'finished') {
    failed += 1;
    lines.push(`failed: the run ended with code ${exitCode} before vitest could report`);
  } else if (passed + failed === 0) {
    lines.push('no test ran');
  } else if (failed === 0 && exitCode !== 0) {
    failed += 1;
    lines.push(`failed: the run ended with code ${exitCode} although no test failed`);
  }

  lines.push(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return { green: exitCode === 0 && failed === 0 && passed > 0, lines };
}
