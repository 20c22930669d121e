import {
  attemptKey,
  attempts,
  clusterKey,
  failureSchema,
  lastDone,
  lastDoneKey,
  owners,
  positionKey,
  positions,
  streamFacts,
  TASK_KINDS,
  type Bus,
  type ClusterSpec,
  type LastDone,
  type Owner,
  type StandingFailure,
  type StatusAnswer,
  type TaskKind,
} from '@etcd-ops/bus';
import { readDestinations } from './read-destinations.ts';
import { readable } from './readable.ts';

type ClusterStatus = StatusAnswer['clusters'][number];
type Done = readonly (readonly [TaskKind, LastDone | undefined])[];

/** Of these at most one waits for a cluster, so that its attempts have one place. */
const COUNTED_KINDS: readonly TaskKind[] = ['full', 'delta', 'gc', 'merge', 'defrag'];

/** Restores are recorded where people ask for them. */
interface Buses {
  bus: Bus;
  ops: Bus;
}

/** What the bus knows of clusters: a cluster of which something cannot be read is told without it. */
export async function readStatus(buses: Buses, clusters: readonly ClusterSpec[]): Promise<ClusterStatus[]> {
  const statuses: ClusterStatus[] = [];
  for (const spec of clusters) statuses.push(await readOne(buses, spec));
  return statuses;
}

async function readOne({ bus, ops }: Buses, spec: ClusterSpec): Promise<ClusterStatus> {
  const cluster = spec.name;
  const [owner, position, events, last, attempted] = await Promise.all([
    readable(owners(bus).get(clusterKey(cluster))),
    readable(positions(bus).get(positionKey(cluster))),
    readable(streamFacts(bus, cluster)),
    Promise.all(
      TASK_KINDS.map(
        async (kind) =>
          [
            kind,
            (await readable(lastDone(kind === 'restore' ? ops : bus).get(lastDoneKey(kind, cluster))))?.value,
          ] as const,
      ),
    ),
    readAttempts(bus, cluster),
  ]);
  const byKind = new Map(last);
  const copies = await readDestinations(bus, spec, [byKind.get('full'), byKind.get('delta')]);
  return {
    cluster,
    ...(owner === undefined ? {} : { owner: owner.value }),
    ...(position === undefined ? {} : { position: position.value }),
    ...(events === undefined
      ? {}
      : { events: { messages: events.messages, bytes: events.bytes, lastSequence: events.lastSequence } }),
    last: Object.fromEntries(last.flatMap(([kind, done]) => (done === undefined ? [] : [[kind, done]]))),
    ...(copies.destinations.length === 0 ? {} : { destinations: copies.destinations }),
    schedules: schedulesOf(spec),
    failures: [...captureFailure(owner?.value), ...attempted, ...copies.failures, ...ended(last)].toSorted(
      (left, right) => Date.parse(right.at) - Date.parse(left.at),
    ),
  };
}

function schedulesOf({ snapshots, retention, defrag, timezone }: ClusterSpec): NonNullable<ClusterStatus['schedules']> {
  return {
    timezone,
    full: snapshots.schedule,
    deltaPeriodMs: snapshots.deltaPeriodMs,
    gcPeriodMs: retention.gcPeriodMs,
    ...(defrag.enabled ? { defrag: defrag.schedule } : {}),
  };
}

/** A capture that runs again has got over its failure. */
function captureFailure(owner: Owner | undefined): StandingFailure[] {
  const capture = owner?.capture;
  return capture?.failure === undefined || capture.watching ? [] : [{ of: 'capture', ...capture.failure }];
}

/** Tasks that failed and are tried again: what is recorded goes when they come right. */
async function readAttempts(bus: Bus, cluster: string): Promise<StandingFailure[]> {
  const found = await Promise.all(
    COUNTED_KINDS.map(async (kind) => {
      const key = attemptKey({ kind, cluster, id: '', pool: '' });
      const { failure, attempts: count, updatedAt } = (await readable(attempts(bus).get(key)))?.value ?? {};
      if (failure === undefined || updatedAt === undefined) return [];
      return [{ of: kind, ...failure, at: updatedAt, ...(count! > 0 ? { attempts: count! } : {}) }];
    }),
  );
  return found.flat();
}

/** Tasks that were given up, and have not been done since. */
function ended(last: Done): StandingFailure[] {
  return last.flatMap(([kind, done]) => {
    if (done === undefined || done.ok) return [];
    const failure = failureSchema.safeParse(done.summary['failure']);
    return failure.success ? [{ of: kind, ...failure.data, at: done.finishedAt }] : [];
  });
}
