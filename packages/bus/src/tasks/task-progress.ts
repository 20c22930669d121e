import type { Bus } from '../connection.ts';
import type { Progress } from '../messages/progress.ts';
import type { Task } from '../messages/task.ts';
import { progressSubject } from '../names.ts';

export interface ProgressReport {
  phase: string;
  bytesDone: number;
  bytesTotal?: number;
}

const INTERVAL_MS = 250;

/** Publishes how far a task is, at most four times a second; every new phase at once. Loss does no harm. */
export function progressPublisher(bus: Bus, task: Task, now: () => number): (report: ProgressReport) => void {
  const subject = progressSubject(task.kind, task.cluster, task.id);
  let last: { atMs: number; report: ProgressReport } | undefined;
  return (report) => {
    const atMs = now();
    const samePhase = last?.report.phase === report.phase;
    const finished = report.bytesTotal !== undefined && report.bytesDone >= report.bytesTotal;
    if (last !== undefined && samePhase && !finished && atMs - last.atMs < INTERVAL_MS) return;
    const elapsedMs = last === undefined ? 0 : atMs - last.atMs;
    const bytes = samePhase && last !== undefined ? report.bytesDone - last.report.bytesDone : 0;
    last = { atMs, report };
    if (!bus.connected) return;
    const message: Progress = {
      version: 1,
      taskId: task.id,
      kind: task.kind,
      cluster: task.cluster,
      at: new Date(atMs).toISOString(),
      ...report,
      ...(elapsedMs > 0 && bytes > 0 ? { bytesPerSecond: Math.round((bytes * 1000) / elapsedMs) } : {}),
    };
    bus.nc.publish(subject, JSON.stringify(message));
  };
}
