import { createPin, EtcdOpsError, removePin, type RestoreTarget } from '@etcd-ops/core';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import { parseTime } from '../options/values.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, formatNumberOf, renderTable } from '../output/table.ts';
import { formatTime } from '../output/times.ts';
import { openChosenStore, type ChosenStoreOptions } from '../restore/chosen-store.ts';

interface PinOptions extends ChosenStoreOptions, IdentityOptions {
  reason?: string;
  until?: number;
  timeline?: number;
  output: 'table' | 'json';
}

/** @throws EtcdOpsError USAGE; as planning a restore of the point does. */
export async function runPin(options: PinOptions, point: string): Promise<void> {
  const { reason, until, clusterName: cluster, output } = options;
  const nowMs = Date.now();
  if (reason === undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'A pin needs a reason',
      remedy: 'Say for whoever wonders later why this is kept: --reason "before the upgrade".',
    });
  }
  if (until !== undefined && until <= nowMs) {
    throw new EtcdOpsError('USAGE', { message: `--until ${new Date(until).toISOString()} has passed` });
  }
  const [store, identities] = [await openChosenStore(options), await identitiesOf(options)];
  const target = targetOf(point, options.timeline);
  const pinning = { cluster, target, reason, untilMs: until, nowMs, identities };
  const { record, plan, warnings } = await createPin(store, pinning);
  const bytes = plan.bytesToFetch;
  if (output === 'json') {
    const { id, timeline, revision, full, time, createdAt } = record;
    const facts = { id, cluster, timeline, revision, full, time, reason, createdAt, until: record.until };
    emitJson({ ...facts, deltas: plan.deltas.length, bytes, warnings });
    return;
  }
  const rows = [
    ['pin', record.id],
    ['revision', `${formatCount(record.revision)} of timeline ${record.timeline}`],
    ['kept by', `${plan.full.key} and ${formatNumberOf(plan.deltas.length, 'delta')}, ${formatBytes(bytes)}`],
    ['until', record.until === undefined ? 'unpin takes it away' : formatTime(record.until)],
    ['reason', record.reason],
    ...warnings.map((warning) => ['note', warning]),
  ];
  emitText(renderTable(['what', 'pinned'], rows));
}

/** @throws EtcdOpsError STORE_NOT_FOUND naming the pins that there are. */
export async function runUnpin(options: ChosenStoreOptions & { output: 'table' | 'json' }, id: string): Promise<void> {
  const store = await openChosenStore(options);
  const removed = await removePin(store, { cluster: options.clusterName, id });
  const { record } = removed;
  if (options.output === 'json') {
    const facts = record === undefined ? {} : { timeline: record.timeline, revision: record.revision };
    emitJson({ id: removed.id, ...facts });
    return;
  }
  const what = record === undefined ? '' : `: revision ${formatCount(record.revision)} (${record.reason})`;
  emitText(`The pin ${removed.id} is gone${what}. The policy decides from now on.`);
}

/** Digits are a revision, what has a zone is a time, all else is a full. */
function targetOf(point: string, timeline: number | undefined): RestoreTarget {
  const chosen = timeline === undefined ? {} : { timeline };
  if (/^\d{1,15}$/.test(point)) return { kind: 'revision', revision: Number(point), ...chosen };
  if (/^\d{4}-\d\d-\d\dT/.test(point)) {
    try {
      return { kind: 'time', timeMs: parseTime(point), ...chosen };
    } catch (error) {
      throw new EtcdOpsError('USAGE', { message: `${point} is no time`, cause: error });
    }
  }
  return { kind: 'snapshot', key: point };
}
