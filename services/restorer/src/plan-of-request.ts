import { storeOf, type PlanAnswer, type PlanRequest } from '@etcd-ops/bus';
import { planRestoreFrom, planSafeBump, readInventory, type Identities } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { checkedTask, specOf } from './accept-request.ts';
import { describeChosen } from './chosen.ts';
import { settleRequest } from './restore-request.ts';
import { settleMoment } from './settle-moment.ts';
import type { RestorerSettings } from './settings.ts';
import { changesOf } from './wanted-changes.ts';

/** What the same request to `etcdops.restore` would do; what that would refuse at once is refused here, too. */
export async function planOfRequest(
  request: PlanRequest,
  context: ServiceContext,
  settings: Pick<RestorerSettings, 'restoreRoots' | 'restorePool'>,
  { identities, signal }: { identities: Identities | undefined; signal: AbortSignal },
): Promise<PlanAnswer> {
  const spec = specOf(context, request.cluster);
  if (request.dataDir !== undefined || request.dataDirs !== undefined) await checkedTask(request, context, settings);
  const { to } = settleRequest(request);
  const changes = changesOf(request);
  const store = await context.openStore(storeOf(spec, request.destination));
  const inventory = await readInventory(store, spec.name, { signal });
  const { restoreTo, beforeDelete } = await settleMoment(store, inventory, to, { identities, signal });
  const plan = await planRestoreFrom(store, inventory, restoreTo, {
    identities,
    signal,
    allowOlder: request.allowOlder,
  });
  const { cluster, timeline, revision, full, cutFull, deltas, bytesToFetch, expectedDbBytes, warnings } = plan;
  const safeBump = changes.safeBump ? planSafeBump(inventory, { revision, nowMs: context.clock.now() }) : undefined;
  const by = safeBump?.by ?? changes.bumpRevision;
  return {
    cluster,
    timeline,
    revision,
    full: full.key,
    cutFull,
    deltas: deltas.map(({ key }) => key),
    bytesToFetch,
    expectedDbBytes,
    ...describeChosen({
      latestObservedMs: plan.latestObservedMs,
      beforeDelete,
      safeBump,
      bumped: by === undefined ? undefined : { by, revision: revision + by },
    }),
    warnings,
  };
}
