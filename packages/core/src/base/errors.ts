import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** What a message is about, by name: the parameters of its sentence in another language. */
export type FailureFacts = Readonly<Record<string, string | number | undefined>>;

export interface ErrorDetails {
  /** What happened to which thing, in one sentence: names the file, key, endpoint or revision. */
  message: string;
  /** Overrides the code's general remedy when something more precise can be said. */
  remedy?: string;
  /** `key`, `path`, `revision`, `endpoint`, ... as far as the sentences of other languages need them; never a secret. */
  facts?: FailureFacts;
  cause?: unknown;
}

/**
 * An operational failure that a person has to understand: what (message), why (cause), what to do (remedy).
 * Programmer errors are not this class: they are plain `assert` failures and crash.
 */
export class EtcdOpsError extends Error {
  override readonly name = 'EtcdOpsError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly facts: FailureFacts;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.remedy = details.remedy ?? ERROR_CODES[code].remedy;
    this.facts = details.facts ?? {};
  }

  /** True when the same call may succeed later without anybody changing anything. */
  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable;
  }

  /** The process exit code that the command line documents for this code. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

export function isEtcdOpsError(error: unknown, code?: ErrorCode): error is EtcdOpsError {
  return error instanceof EtcdOpsError && (code === undefined || error.code === code);
}

/** The text of anything that was thrown, including the causes below it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`;
  return `${error.message}${cause}`;
}
