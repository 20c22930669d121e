import type { ListAnswer } from '@etcd-ops/bus';
import { restorableRanges, type Inventory } from '@etcd-ops/core';

/** The answer must fit into one message; the newest fulls are the ones that matter. */
const FULLS_MAX = 1_000;

/** What a repository can be restored to. */
export function listRepository(inventory: Inventory): ListAnswer {
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  return {
    cluster: inventory.cluster,
    ranges: restorableRanges(inventory).map(({ timeline, from, to, fromTimeMs, toTimeMs }) => ({
      timeline,
      from,
      to,
      ...(fromTimeMs === undefined ? {} : { fromTime: new Date(fromTimeMs).toISOString() }),
      ...(toTimeMs === undefined ? {} : { toTime: new Date(toTimeMs).toISOString() }),
    })),
    fulls: inventory.timelines
      .flatMap((timeline) => timeline.fulls)
      .slice(-FULLS_MAX)
      .map(({ key, timeline, revision, bytes, manifest }) => ({
        key,
        timeline,
        revision,
        compactRevision: manifest.compactRevision,
        createdAt: manifest.createdAt,
        bytes,
      })),
    deltas: { count: deltas.length, bytes: deltas.reduce((sum, { bytes }) => sum + bytes, 0) },
  };
}
