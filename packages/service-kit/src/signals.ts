import { constants } from 'node:os';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type StopSignal = (typeof STOP_SIGNALS)[number];

export interface SignalHooks {
  onDrain: (name: StopSignal) => void;
  onForce: (name: StopSignal, exitCode: number) => void;
}

/** The first SIGTERM or SIGINT asks for a drain, the second forces. Returns how to stop listening. */
export function listenForSignals({ onDrain, onForce }: SignalHooks): () => void {
  let isDraining = false;
  const handlers = STOP_SIGNALS.map((name) => {
    const handler = (): void => {
      if (isDraining) return onForce(name, 128 + constants.signals[name]);
      isDraining = true;
      onDrain(name);
    };
    process.on(name, handler);
    return { name, handler };
  });
  return () => {
    for (const { name, handler } of handlers) process.off(name, handler);
  };
}
