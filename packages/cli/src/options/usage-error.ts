import type { Said } from '../help/language.ts';
import { saidOf } from './said-of.ts';

/** One thing that is wrong with how the program was called, and what to write instead. */
export interface UsageProblem {
  message: string | Said;
  remedy?: string | Said;
}

/**
 * The caller's mistake: a flag, a variable or a line of the configuration file. Every problem at once. It is no EtcdOpsError,
 * so that parsing and help load nothing of the core; `reportFailure` says it like one with the code USAGE.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly problems: readonly UsageProblem[];

  constructor(problems: readonly UsageProblem[]) {
    super(problems.map(({ message }) => saidOf(message, 'en')).join('; '));
    this.problems = problems;
  }
}

/** Thrown by a value's parser: what a right value looks like. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly said: string | Said;

  constructor(said: string | Said) {
    super(saidOf(said, 'en'));
    this.said = said;
  }
}
