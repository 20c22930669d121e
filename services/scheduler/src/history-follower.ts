import { DONE_SUBJECTS, HISTORY_STREAM, taskResultSchema, type Bus, type TaskResult } from '@etcd-ops/bus';

export interface HistoryHooks {
  /** The history is (again) read from its beginning: forget what was told before. */
  onRestart: () => void;
  onResult: (result: TaskResult, isNewest: boolean) => void;
}

/**
 * Tells of every finished task on record and then of each that finishes, in order. Lines of another version are passed over.
 * Ends when the signal is aborted; rejects when the history cannot be followed any further.
 */
export async function followHistory(bus: Bus, hooks: HistoryHooks, signal: AbortSignal): Promise<void> {
  hooks.onRestart();
  const consumer = await bus.js.consumers.get(HISTORY_STREAM, { filterSubjects: DONE_SUBJECTS });
  const messages = await consumer.consume();
  const onAbort = (): void => messages.stop();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) return;
    for await (const message of messages) {
      const result = taskResultSchema.safeParse(parsed(message.string()));
      if (result.success) hooks.onResult(result.data, message.info.pending === 0);
      if (signal.aborted) return;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    messages.stop();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
