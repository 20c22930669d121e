import {
  attemptKey,
  attempts,
  failureSchema,
  lastDone,
  lastDoneKey,
  type Bus,
  type ClusterSpec,
  type LastDone,
  type StandingFailure,
  type StatusAnswer,
} from '@etcd-ops/bus';
import { describeStoreSpec } from '@etcd-ops/core';
import { readable } from './readable.ts';

export interface DestinationsStatus {
  destinations: NonNullable<StatusAnswer['clusters'][number]['destinations']>;
  failures: StandingFailure[];
}

/** What the bus knows of the destinations of a cluster. */
export async function readDestinations(bus: Bus, spec: ClusterSpec, stored: Stored): Promise<DestinationsStatus> {
  const found = await Promise.all(
    (spec.destinations ?? []).map(async ({ name, store }) => {
      const address = { kind: 'copy', cluster: spec.name, destination: name, id: '', pool: '' } as const;
      const [last, attempt] = await Promise.all([
        readable(lastDone(bus).get(lastDoneKey('copy', spec.name, name))),
        readable(attempts(bus).get(attemptKey(address))),
      ]);
      const { failure, attempts: count = 0, updatedAt } = attempt?.value ?? {};
      const of = `copy ${name}`;
      const standing: StandingFailure[] =
        failure === undefined || updatedAt === undefined
          ? givenUp(of, last?.value)
          : [{ of, ...failure, at: updatedAt, ...(count > 0 ? { attempts: count } : {}) }];
      const behindMs = behind(last?.value, stored);
      const destination = {
        ...{ name, store: describeStoreSpec(store) },
        ...(last === undefined ? {} : { last: last.value }),
        ...(behindMs === undefined ? {} : { behindMs }),
      };
      return { destination, standing };
    }),
  );
  return {
    destinations: found.map(({ destination }) => destination),
    failures: found.flatMap(({ standing }) => standing),
  };
}

/** The last tasks that stored something in the cluster's own store. */
type Stored = readonly (LastDone | undefined)[];

function behind(copy: LastDone | undefined, stored: Stored): number | undefined {
  if (copy?.tick === undefined) return undefined;
  const newestMs = Math.max(0, ...stored.map((done) => (done?.ok === true ? Date.parse(done.finishedAt) : 0)));
  return Math.max(0, newestMs - Date.parse(copy.tick));
}

function givenUp(of: string, last: LastDone | undefined): StandingFailure[] {
  if (last === undefined || last.ok) return [];
  const failure = failureSchema.safeParse(last.summary['failure']);
  return failure.success ? [{ of, ...failure.data, at: last.finishedAt }] : [];
}
