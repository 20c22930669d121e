import { relative } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { emptyTotals, writeTotals, type TestTotals } from './test-totals.ts';

/**
 * Writes the totals of a run as JSON. The first write says `running`: only a run that reaches its end replaces it, so a
 * vitest that dies on the way cannot pass for green.
 */
export class TotalsReporter implements Reporter {
  readonly #directory: string;
  #nameFilter: RegExp | undefined;
  #root = '';

  constructor(directory: string) {
    this.#directory = directory;
  }

  onInit(vitest: Vitest): void {
    this.#nameFilter = vitest.config.testNamePattern;
    this.#root = vitest.config.root;
    writeTotals(this.#directory, emptyTotals);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], reason: TestRunEndReason): void {
    const totals = { passed: 0, failed: 0, skipped: 0 };
    const troubles = unhandled.map((error) => `unhandled: ${firstLine(error)}`);
    const skips: { test: string; reason: string }[] = [];
    if (reason === 'interrupted') {
      troubles.push('the run was interrupted');
    }
    for (const module of modules) {
      const path = relative(this.#root, module.moduleId);
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') {
          totals.passed += 1;
        } else if (result.state === 'skipped') {
          if (this.#isWanted(test)) {
            totals.skipped += 1;
            skips.push({ test: `${path} > ${test.fullName}`, reason: skipReason(test) });
          }
        } else {
          // A pending test is one whose worker died under it.
          failedHere += 1;
        }
      }
      if (failedHere === 0 && !module.ok()) {
        troubles.push(`${path}: ${moduleErrors(module)}`);
      }
      totals.failed += failedHere;
    }
    const finished: TestTotals = {
      ...totals,
      failed: totals.failed + troubles.length,
      state: 'finished',
      troubles,
      skips,
    };
    writeTotals(this.#directory, finished);
  }

  /** Vitest marks what a name filter leaves out as skipped; nobody asked for those, so they are not counted. */
  #isWanted(test: TestCase): boolean {
    return this.#nameFilter === undefined || this.#nameFilter.test(test.fullName);
  }
}

function skipReason(test: TestCase): string {
  const result = test.result();
  for (let parent = test.parent; ; parent = parent.parent) {
    if (parent.errors().length > 0) {
      return 'the setup of its suite failed';
    }
    if (parent.type === 'module') {
      break;
    }
  }
  if (result.state === 'skipped' && result.note !== undefined) {
    return result.note;
  }
  return test.options.mode === 'todo' ? 'to do' : 'no reason given';
}

function moduleErrors(module: TestModule): string {
  const errors = [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
  return errors.map(firstLine).join('; ') || 'failed without an error';
}

function firstLine(error: { message: string }): string {
  return error.message.split('\n', 1)[0] ?? '';
}
