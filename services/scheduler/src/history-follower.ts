import {
  DONE_SUBJECTS,
  followStream,
  HISTORY_STREAM,
  taskResultSchema,
  type Bus,
  type TaskResult,
} from '@etcd-ops/bus';

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
  for await (const message of followStream(bus, { stream: HISTORY_STREAM, filter: DONE_SUBJECTS, signal })) {
    const result = taskResultSchema.safeParse(parsed(Buffer.from(message.data).toString('utf8')));
    if (result.success) hooks.onResult(result.data, message.pending === 0);
    if (signal.aborted) return;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
