import {
  attemptKey,
  attempts,
  findResult,
  jobKey,
  jobs,
  lastDone,
  lastDoneKey,
  queuedTask,
  TASK_KINDS,
  type Bus,
  type Job,
  type JobAnswer,
  type LastDone,
  type TaskKind,
} from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import type { ProgressMemory } from './progress-memory.ts';
import { expiryOf } from './start-deadline.ts';

/** What became of a request. @throws EtcdOpsError STORE_NOT_FOUND for an id that was never given, or is too old. */
export async function readJob(
  id: string,
  context: Pick<ServiceContext, 'bus' | 'ops' | 'clock'>,
  memory: Pick<ProgressMemory, 'of'>,
  signal?: AbortSignal,
): Promise<JobAnswer> {
  const job = (await jobs(context.ops).get(jobKey(id)))?.value;
  const kind = TASK_KINDS.find((one) => one === job?.kind);
  if (job === undefined || kind === undefined) throw unknown(id);
  const bus = kind === 'restore' ? context.ops : context.bus;
  const { cluster, acceptedAt } = job;
  const base = { id, kind, cluster, acceptedAt };
  const progress = memory.of(id);
  const told = progress === undefined ? {} : { progress };

  const ended = await endOf(bus, job, kind, signal);
  if (ended !== undefined) return { ...base, ...told, ...ended };

  const address = { id, kind, cluster, pool: job.pool };
  const [queued, attempt] = await Promise.all([queuedTask(bus, address), attempts(bus).get(attemptKey(address))]);
  if (queued?.id !== id) {
    // It may have ended between the two looks.
    const late = await endOf(bus, job, kind, signal);
    return { ...base, ...told, ...(late ?? { state: 'unknown', attempts: 0 }) };
  }
  const failed = attempt?.value.taskId === id ? attempt.value : undefined;
  const failedAttempts = failed?.attempts ?? 0;
  if (failedAttempts > 0) {
    const failure = failed?.failure === undefined ? {} : { failure: failed.failure };
    return { ...base, ...told, state: 'retrying', attempts: failedAttempts, ...failure };
  }
  if (progress !== undefined) return { ...base, ...told, state: 'running', attempts: 0 };
  const expired = await expiryOf(bus, job, context.clock.now());
  return {
    ...base,
    ...(expired === undefined ? { state: 'waiting' } : { state: 'failed', failure: expired }),
    attempts: 0,
  };
}

type Ended = Pick<JobAnswer, 'state' | 'attempts' | 'finishedAt' | 'summary' | 'failure'>;

async function endOf(bus: Bus, job: Job, kind: TaskKind, signal?: AbortSignal): Promise<Ended | undefined> {
  const { id, cluster, acceptedAt } = job;
  const wanted = { kind, cluster, id, since: acceptedAt, ...(signal === undefined ? {} : { signal }) };
  const line = await findResult(bus, wanted);
  if (line !== undefined) {
    const { ok, attempt, finishedAt, summary, failure } = line;
    const base = { attempts: ok ? attempt - 1 : attempt, finishedAt, summary };
    return { state: ok ? 'done' : 'failed', ...base, ...(failure === undefined ? {} : { failure }) };
  }
  // What changed nothing leaves no line in the history.
  const last = (await lastDone(bus).get(lastDoneKey(kind, cluster)))?.value;
  return last?.taskId === id ? endOfLast(last) : undefined;
}

function endOfLast({ ok, finishedAt, summary }: LastDone): Ended {
  return { state: ok ? 'done' : 'failed', attempts: 0, finishedAt, summary };
}

function unknown(id: string): EtcdOpsError {
  return new EtcdOpsError('STORE_NOT_FOUND', {
    message: `No request with the id ${JSON.stringify(id)} is known`,
    remedy: 'Ids are known for a week; the history (etcdops.done.>) knows older results.',
  });
}
