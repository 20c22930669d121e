/** What is said of a failure, wherever it happens. */
export interface ErrorCodeFacts {
  /** Process exit code; one per family, so that scripts can tell the families apart. */
  exit: number;
  cause: string;
  remedy: string;
  retriable: boolean;
}
