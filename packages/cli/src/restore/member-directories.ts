import { isAbsolute, join, resolve } from 'node:path';
import {
  checkMemberSpecs,
  EtcdOpsError,
  parseInitialCluster,
  type MemberSpec,
  type RestoreMember,
} from '@etcd-ops/core';

/** More members make a cluster slower and no safer; etcd's own advice ends here. */
const ALL_MEMBERS_MAX = 7;
const NAME_PLACE = '{name}';

export interface MemberOptions {
  /** etcdctl's default: `<name>.etcd`. */
  dataDir?: string | undefined;
  walDir?: string | undefined;
  name: string;
  initialCluster: string;
  initialClusterToken: string;
  initialAdvertisePeerUrls?: string[] | undefined;
  allMembers?: boolean | undefined;
}

export interface MemberPlan {
  initialCluster: MemberSpec[];
  token: string;
  /** The members whose directories are made here. Paths are absolute. */
  members: (RestoreMember & { spec: MemberSpec })[];
}

/**
 * Which members are made, and where. With `--all-members`, `{name}` in a path stands for the name of the member; a path without it
 * gets `-<name>` at its end.
 * @throws EtcdOpsError USAGE
 */
export function planMemberDirectories(options: MemberOptions): MemberPlan {
  const initialCluster = parseInitialCluster(options.initialCluster);
  const token = options.initialClusterToken;
  if (options.allMembers !== true) {
    const spec = ownMember(initialCluster, options);
    return { initialCluster, token, members: [memberAt(spec, options, { several: false })] };
  }
  if (options.initialAdvertisePeerUrls !== undefined) {
    throw usage(
      '--initial-advertise-peer-urls is of one member, and --all-members makes all of them',
      'Leave it away.',
    );
  }
  if (initialCluster.length > ALL_MEMBERS_MAX) {
    throw usage(
      `--initial-cluster names ${initialCluster.length} members, and --all-members makes at most ${ALL_MEMBERS_MAX}`,
      'Restore the members one by one with --name.',
    );
  }
  const members = initialCluster.map((spec) => memberAt(spec, options, { several: true }));
  return { initialCluster, token, members };
}

function memberAt(
  spec: MemberSpec,
  { dataDir = `${NAME_PLACE}.etcd`, walDir }: MemberOptions,
  { several }: { several: boolean },
): MemberPlan['members'][number] {
  const place = (path: string): string => resolve(placeFor(path, spec.name, several));
  return {
    spec,
    member: spec.name,
    dataDir: place(dataDir),
    ...(walDir === undefined ? {} : { walDir: place(walDir) }),
  };
}

function placeFor(path: string, name: string, several: boolean): string {
  const file = fileName(name);
  if (path.includes(NAME_PLACE)) return path.replaceAll(NAME_PLACE, file);
  return several ? `${path.replace(/\/+$/, '')}-${file}` : path;
}

/** A member may be called anything; a path may not. */
export function fileName(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  if (safe === '.' || safe === '..') {
    throw usage(`The member ${name} has a name that no directory can have`, 'Give the member another name.');
  }
  return safe;
}

/** etcdctl's rule: the URLs that a member advertises must be those of its name in the initial cluster. */
function ownMember(initialCluster: readonly MemberSpec[], options: MemberOptions): MemberSpec {
  const own = initialCluster.find((member) => member.name === options.name);
  if (own === undefined) {
    const names = initialCluster.map(({ name }) => name).join(', ');
    throw usage(
      `The member '${options.name}' is not in --initial-cluster, which names ${names}`,
      'Give --name and --initial-cluster that fit together: --name m1 --initial-cluster m1=http://10.0.0.1:2380',
    );
  }
  if (options.initialAdvertisePeerUrls === undefined) return own;
  const [advertised] = checkMemberSpecs([{ name: own.name, peerUrls: options.initialAdvertisePeerUrls }]);
  if (own.peerUrls.join() === advertised!.peerUrls.join()) return own;
  throw usage(
    `--initial-cluster names ${own.peerUrls.join(' ')} for ${own.name}, but --initial-advertise-peer-urls says ${advertised!.peerUrls.join(' ')}`,
    'Make both say the same.',
  );
}

/** `path` as the user sees it below the working directory. */
export function shortPath(path: string): string {
  const here = process.cwd();
  return isAbsolute(path) && path.startsWith(join(here, '/')) ? path.slice(here.length + 1) : path;
}

function usage(message: string, remedy: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy });
}
