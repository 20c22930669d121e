const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const CANCELLED_EXIT_CODE = 130;

export interface SignalledCancel extends Disposable {
  readonly signal: AbortSignal;
}

/** For one-shot commands: the first SIGINT or SIGTERM cancels, so that they can tidy up; a second ends the process at once. */
export function cancelOnSignal(): SignalledCancel {
  const cancel = new AbortController();
  const onSignal = (): void => {
    if (cancel.signal.aborted) process.exit(CANCELLED_EXIT_CODE);
    cancel.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: cancel.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
