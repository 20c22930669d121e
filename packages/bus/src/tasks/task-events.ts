import type { EtcdOpsError } from '@etcd-ops/core';
import type { Failure } from '../messages/failure.ts';
import type { Task } from '../messages/task.ts';

/** What happens to tasks, for logs and metrics. */
export type TaskEvent =
  | { type: 'started'; task: Task; attempt: number }
  | { type: 'done'; task: Task; attempt: number; durationMs: number; changed: boolean }
  | { type: 'already-done'; task: Task }
  | { type: 'failed'; task: Task; attempt: number; failure: Failure; error: unknown; retryInMs: number }
  | { type: 'dead'; subject: string; attempts: number; failure: Failure }
  /** Handed back because this worker stops. */
  | { type: 'released'; subject: string }
  /** The bus failed around the work; the task comes again. */
  | { type: 'bus-failed'; subject?: string; error: EtcdOpsError }
  /** A later version wrote the task: it is left to a worker of that version. */
  | { type: 'newer'; subject: string; error: EtcdOpsError }
  | { type: 'consumer-gone' }
  /** Tasks occupy their subjects, nobody can read them, and this worker may not empty the queue. All others are worked off. */
  | { type: 'tasks-unreadable'; error: EtcdOpsError };
