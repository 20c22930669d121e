import { checkClusterSpec, clusterSpecFields, type ClusterSpec } from '@etcd-ops/bus';
import { scheduleProblems } from '@etcd-ops/scheduler';
import type { z } from 'zod';

/** Schedules that are wrong in themselves: what a schema cannot say. */
export interface ScheduleFault {
  path: readonly PropertyKey[];
  message: string;
}

export type ReadSpec =
  | { spec: ClusterSpec }
  | { spec?: never; issues: readonly z.core.$ZodIssue[]; schedules: readonly ScheduleFault[] };

/** Reads a spec; everything that is wrong is told at once: schedules, and what joins fields, also where other fields are wrong. */
export function readSpecOrFaults(schema: z.ZodType<ClusterSpec>, value: unknown): ReadSpec {
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    const schedules = scheduleProblems(parsed.data);
    return schedules.length === 0 ? { spec: parsed.data } : { issues: [], schedules };
  }
  const { issues } = parsed.error;
  const told = new Set(issues.map(({ path }) => path.join('.')));
  const untold = ({ path }: { path: readonly PropertyKey[] }): boolean => !told.has(path.join('.'));
  return {
    issues: [...issues, ...joinIssues(value).filter(untold)],
    schedules: scheduleProblems(schedulesOf(value)).filter(untold),
  };
}

type Schedules = Parameters<typeof scheduleProblems>[0];

/** As far as they are written as they should be; the rest as if it was not written. */
function schedulesOf(value: unknown): Schedules {
  const { snapshots, proof, defrag, timezone } = clusterSpecFields.shape;
  const given = objectOf(value);
  const part = (name: string, usual: { schedule: string; enabled?: boolean }) => {
    const { schedule, enabled } = objectOf(given[name]);
    return {
      schedule: typeof schedule === 'string' ? schedule : usual.schedule,
      enabled: typeof enabled === 'boolean' ? enabled : (usual.enabled ?? true),
    };
  };
  return {
    snapshots: part('snapshots', snapshots.parse(undefined)),
    proof: part('proof', proof.parse(undefined)),
    defrag: part('defrag', defrag.parse(undefined)),
    timezone: timezone.safeParse(given['timezone']).data ?? 'UTC',
  };
}

/** Of stores that are right in themselves. */
function joinIssues(value: unknown): z.core.$ZodIssue[] {
  const { shape } = clusterSpecFields;
  const given = objectOf(value);
  const store = shape.store.safeParse(given['store']);
  const destinations = shape.destinations.safeParse(given['destinations']);
  if (!store.success || !destinations.success || destinations.data === undefined) return [];
  const context = {
    value: { store: store.data, destinations: destinations.data },
    issues: [] as z.core.$ZodRawIssue[],
  };
  checkClusterSpec(context);
  return context.issues.map((issue) => ({ path: [], message: '', ...issue }) as z.core.$ZodIssue);
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
