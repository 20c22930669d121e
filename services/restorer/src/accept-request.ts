import { randomUUID } from 'node:crypto';
import {
  dispatchTask,
  jobKey,
  jobs,
  streamFacts,
  type Bus,
  type ClusterSpec,
  storeOf,
  type DispatchOutcome,
  type RestoreAnswer,
  type RestoreRequest,
  type RestoreTask,
  type SnapshotAnswer,
  type SnapshotRequest,
  type TaskInput,
  type VerifyAnswer,
  type VerifyRequest,
} from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { scopeOfRequest, taskOfRequest } from './restore-request.ts';
import { assertBelowRoots } from './restore-roots.ts';
import type { RestorerSettings } from './settings.ts';
import { assertServed } from './start-deadline.ts';

/** Checked and queued; the id is the answer, and what came of it follows under it. */

export async function acceptRestore(
  request: RestoreRequest,
  context: ServiceContext,
  settings: Pick<RestorerSettings, 'restoreRoots' | 'restorePool'>,
): Promise<RestoreAnswer> {
  const spec = specOf(context, request.cluster);
  const task = await checkedTask(request, context, settings);
  const outcome = await queue(context, context.ops, task);
  if (outcome !== 'accepted') {
    throw new EtcdOpsError('BUS_FAILED', { message: `The restore of ${spec.name} was not accepted: ${outcome}` });
  }
  const facts = { cluster: spec.name, taskId: task.id, to: task.to, dataDirs: task.dataDirs };
  context.logger.info(facts, 'A restore was asked for');
  const { startBefore } = task;
  return { id: task.id, target: task.to, ...(startBefore === undefined ? {} : { startBefore }) };
}

/**
 * The task that a request asks for: the caller hears of a refusal at once.
 * @throws EtcdOpsError USAGE, CONFIG_INVALID, TARGET_REFUSED; BUS_UNREACHABLE when nobody would take it.
 */
export async function checkedTask(
  request: RestoreRequest,
  context: ServiceContext,
  { restoreRoots: roots, restorePool }: Pick<RestorerSettings, 'restoreRoots' | 'restorePool'>,
): Promise<RestoreTask> {
  storeOf(specOf(context, request.cluster), request.destination);
  const task = taskOfRequest(request, randomUUID(), context.clock.now());
  // A restorer of another pool has roots of its own and asks again by itself.
  if (task.pool === 'any') {
    for (const { dataDir, walDir } of task.dataDirs) {
      await assertBelowRoots(dataDir, roots);
      if (walDir !== undefined) await assertBelowRoots(walDir, roots);
    }
  }
  if (task.pool !== restorePool) await assertServed(context.ops, task.pool);
  return task;
}

export async function acceptSnapshot(
  { cluster, kind }: SnapshotRequest,
  context: ServiceContext,
): Promise<SnapshotAnswer> {
  const { bus } = context;
  const spec = specOf(context, cluster);
  const base = taskBase(spec, context);
  let task: TaskInput;
  if (kind === 'full') {
    task = { ...base, kind, cause: 'request' };
  } else {
    const { lastSequence } = await streamFacts(bus, spec.name);
    if (lastSequence < 1) {
      throw new EtcdOpsError('NOTHING_TO_DO', { message: `No event of ${spec.name} was captured yet` });
    }
    task = { ...base, kind, cutSequence: lastSequence, cause: 'flush' };
  }
  return { id: task.id, outcome: await queue(context, bus, task) };
}

export async function acceptVerify(request: VerifyRequest, context: ServiceContext): Promise<VerifyAnswer> {
  const spec = specOf(context, request.cluster);
  const scope = scopeOfRequest(request);
  const base = taskBase(spec, context);
  const task: TaskInput = { ...base, kind: 'verify', cause: 'request', depth: request.depth, scope };
  const outcome = await queue(context, context.bus, task);
  if (outcome === 'accepted') return { id: task.id };
  throw new EtcdOpsError('BUS_FAILED', { message: `Verifying ${spec.name} was not accepted: ${outcome}` });
}

export function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec !== undefined) return spec;
  throw new EtcdOpsError('USAGE', {
    message: `There is no cluster ${JSON.stringify(cluster)} under care`,
    remedy: "`nats req etcdops.status '{}'` shows those that there are.",
  });
}

function taskBase(spec: ClusterSpec, { clock }: ServiceContext) {
  // The id is the message id: a request is never taken for a repetition of another one.
  const createdAt = new Date(clock.now()).toISOString();
  return { version: 1 as const, id: randomUUID(), cluster: spec.name, createdAt };
}

/** Recorded before it is queued: an id that somebody was given can always be asked for. */
async function queue({ ops }: ServiceContext, bus: Bus, task: TaskInput): Promise<DispatchOutcome> {
  const { id, kind, cluster, pool = 'any', createdAt: acceptedAt } = task;
  const known = jobs(ops);
  const { startBefore } = kind === 'restore' ? task : {};
  const deadline = startBefore === undefined ? {} : { startBefore };
  await known.put(jobKey(id), { version: 1, id, kind, cluster, pool, acceptedAt, ...deadline });
  const outcome = await dispatchTask(bus, task);
  if (outcome !== 'accepted') await known.delete(jobKey(id)).catch(() => false);
  return outcome;
}
