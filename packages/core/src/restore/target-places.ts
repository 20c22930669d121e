import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { clusterPrefix } from '../repository/object-key.ts';
import type { RestorePlan } from '../repository/plan-restore.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/**
 * Every directory that a restore makes needs a place of its own, outside of the repository. Links are followed: two names may mean one
 * place. `directories` are absolute.
 * @throws EtcdOpsError USAGE naming the directories as they were given.
 */
export function checkPlaces(
  directories: readonly string[],
  { store, plan }: { store: Pick<ObjectStore, 'localPath'>; plan: Pick<RestorePlan, 'cluster' | 'full'> },
): void {
  const places = directories.map((given) => ({ given, real: realPlace(given) }));
  const root = rootOf(store, plan.full.key);
  places.forEach(({ given, real }, index) => {
    for (const other of places.slice(0, index)) refuseOverlap({ given, real }, other);
    if (root !== undefined) refuseInRepository({ given, real }, root, plan.cluster);
  });
}

interface Place {
  given: string;
  real: string;
}

/** A directory inside another one would appear with it, or be in its way. */
function refuseOverlap(one: Place, other: Place): void {
  if (one.given === other.given) {
    throw usage(`The directory ${one.given} is named twice: every one needs its own place`);
  }
  if (one.real === other.real) {
    throw usage(`${other.given} and ${one.given} are the same directory: every one needs its own place`);
  }
  const [outer, inner] = one.real.length < other.real.length ? [one, other] : [other, one];
  if (inner.real.startsWith(join(outer.real, sep))) {
    throw usage(`The directory ${inner.given} is inside ${outer.given}: every one needs its own place`);
  }
}

/** The folder of the cluster, and the timelines of any other. The bucket itself may be any directory, with anything beside the repositories. */
function refuseInRepository({ given, real }: Place, root: string, cluster: string): void {
  const [folder, timeline] = relative(root, real).split(sep);
  const own = clusterPrefix(cluster).slice(0, -1);
  if (folder !== own && !/^t\d{8}$/.test(timeline ?? '')) return;
  throw new EtcdOpsError('USAGE', {
    message: `The directory ${given} is inside of the repository ${join(root, folder!)}: backups and data of etcd do not go together`,
    remedy: 'Name a directory outside of the bucket.',
    facts: { path: given },
  });
}

/** The bucket of a local store, by where it has one of its objects. */
function rootOf(store: Pick<ObjectStore, 'localPath'>, key: string): string | undefined {
  const path = store.localPath?.(key);
  if (path === undefined || !path.endsWith(`${sep}${key}`)) return undefined;
  return realPlace(path.slice(0, -key.length - 1));
}

/** With all links followed, as far as it is there. */
function realPlace(path: string): string {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      return join(realpathSync(at), ...missing.toReversed());
    } catch (error) {
      if (dirname(at) === at) throw error;
      // What cannot be looked at is refused, or made, where it is prepared.
      missing.push(basename(at));
    }
  }
}

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message });
}
