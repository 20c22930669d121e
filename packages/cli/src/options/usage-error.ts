/** One thing that is wrong with how the program was called, and what to write instead. */
export interface UsageProblem {
  message: string;
  remedy?: string;
}

/**
 * The caller's mistake: a flag, a variable or a line of the configuration file. Every problem at once. It is no EtcdOpsError,
 * so that parsing and help load nothing of the core; `reportFailure` says it like one with the code USAGE.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly problems: readonly UsageProblem[];

  constructor(problems: readonly UsageProblem[]) {
    super(problems.map(({ message }) => message).join('; '));
    this.problems = problems;
  }
}

/** Thrown by a value's parser: what a right value looks like. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
