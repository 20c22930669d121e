import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinaries, missingBinary, MissingBinaryError, newestBinary, type Binary } from './binaries.ts';
import { runEtcdctl } from './etcdctl.ts';
import { LocalEtcdMember, type EtcdMemberPlan, type EtcdTls } from './etcd-member.ts';
import { freePorts } from './free-port.ts';
import { tempDir } from './temp-dir.ts';

const START_TRIES_MAX = 5;

export interface StartEtcdOptions {
  /** Path of an etcd; else the newest found that matches `version`. */
  binary?: string;
  version?: string;
  /** Of a single member; may exist already (a restored one). Default: a temporary one, removed at the end. */
  dataDir?: string;
  /** Name of a single member, default `m1`. */
  name?: string;
  /** How many members (default 1), or where each of them lives (`planMembers`). */
  members?: number | readonly EtcdMemberPlan[];
  /** Initial cluster token, default `etcd-ops-test`. */
  token?: string;
  extraFlags?: readonly string[];
  /** False (the default) starts 3.5 and newer with `--unsafe-no-fsync`; older ones always fsync. */
  fsync?: boolean;
  tls?: EtcdTls;
  /** Default 30 s. */
  readyTimeoutMs?: number;
}

/** A running etcd of one or several members. Whoever starts it ends it: `await using etcd = await startEtcd()`. */
export interface LocalEtcd extends AsyncDisposable {
  readonly version: string;
  readonly members: readonly LocalEtcdMember[];
  /** Client URLs of all members. */
  readonly endpoints: string[];
  readonly peerUrls: string[];
  /** `m1=http://127.0.0.1:1234,...`: what a restore for the same members needs. */
  readonly initialCluster: string;
  readonly token: string;
  /** Of the first member. */
  readonly endpoint: string;
  readonly clientUrl: string;
  readonly dataDir: string;
  readonly pid: number;
  /** The end of the logs of all members. */
  log(): string;
  /** SIGTERM; data stays until the object is disposed of. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts all members again on the same data and ports; `flags` are added for this start only. */
  restart(flags?: readonly string[]): Promise<void>;
  /** Runs etcdctl of the same version (API 3) against all members; returns its stdout. */
  etcdctl(...args: string[]): Promise<string>;
}

/** Picks names `m1`, `m2`, ..., free ports and data directories below `root`. */
export async function planMembers(count: number, root: string): Promise<EtcdMemberPlan[]> {
  const ports = await freePorts(count * 2);
  return Array.from({ length: count }, (_, index) => ({
    name: `m${index + 1}`,
    clientPort: ports[index * 2]!,
    peerPort: ports[index * 2 + 1]!,
    dataDir: join(root, `m${index + 1}.etcd`),
  }));
}

/** The value of `--initial-cluster` for planned members. */
export function initialClusterOf(plans: readonly EtcdMemberPlan[]): string {
  return plans.map((plan) => `${plan.name}=http://127.0.0.1:${plan.peerPort}`).join(',');
}

/** @throws Error with the end of the log when etcd does not get ready, or when no such etcd is there. */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<LocalEtcd> {
  const binary = chooseBinary(options);
  const scratch = tempDir('etcd-ops-etcd-');
  try {
    for (let attempt = 1; ; attempt++) {
      const plans = await choosePlans(options, scratch.path);
      const members = makeMembers(options, binary, plans);
      try {
        await startAll(members);
        return describe(options, binary, members, plans, () => scratch.remove());
      } catch (error) {
        await Promise.all(members.map((member) => member.kill()));
        // Somebody took a port between the pick and the bind: pick again, unless the caller chose the ports.
        const portTaken = members.some((member) => member.log().includes('address already in use'));
        if (!portTaken || typeof options.members === 'object' || attempt === START_TRIES_MAX) throw error;
        const ours = plans.filter((plan) => plan.dataDir !== options.dataDir);
        await Promise.all(ours.map((plan) => rm(plan.dataDir, { recursive: true, force: true })));
      }
    }
  } catch (error) {
    await scratch.remove();
    throw error;
  }
}

function chooseBinary({ binary, version }: StartEtcdOptions): Binary {
  const all = findBinaries('etcd', { withBuilt: true });
  if (binary !== undefined) {
    return all.find((candidate) => candidate.path === binary) ?? { path: binary, version: version ?? '3.5.0' };
  }
  const chosen = newestBinary('etcd', version);
  if (chosen === undefined) {
    const others = all.length === 0 ? '' : `; there are ${all.map((found) => found.version).join(', ')}`;
    throw new MissingBinaryError(`There is ${missingBinary('etcd', version)}${others}`);
  }
  return chosen;
}

async function choosePlans(options: StartEtcdOptions, scratch: string): Promise<readonly EtcdMemberPlan[]> {
  const { members = 1, name, dataDir } = options;
  if (typeof members !== 'number') return members;
  const plans = await planMembers(members, scratch);
  if (members !== 1) return plans;
  return plans.map((plan) => ({ ...plan, name: name ?? plan.name, dataDir: dataDir ?? plan.dataDir }));
}

function makeMembers(options: StartEtcdOptions, binary: Binary, plans: readonly EtcdMemberPlan[]): LocalEtcdMember[] {
  return plans.map(
    (plan) =>
      new LocalEtcdMember({
        plan,
        binaryPath: binary.path,
        version: binary.version,
        initialCluster: initialClusterOf(plans),
        token: options.token ?? 'etcd-ops-test',
        fsync: options.fsync ?? false,
        tls: options.tls,
        extraFlags: options.extraFlags ?? [],
        readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
      }),
  );
}

async function startAll(members: readonly LocalEtcdMember[], flags: readonly string[] = []): Promise<void> {
  await Promise.all(members.map((member) => member.spawn(flags)));
  await Promise.all(members.map((member) => member.ready()));
}

function describe(
  options: StartEtcdOptions,
  binary: Binary,
  members: readonly LocalEtcdMember[],
  plans: readonly EtcdMemberPlan[],
  removeScratch: () => Promise<void>,
): LocalEtcd {
  const first = members[0]!;
  const endpoints = members.map((member) => member.endpoint);
  return {
    version: binary.version,
    members,
    endpoints,
    peerUrls: members.map((member) => member.peerUrl),
    initialCluster: initialClusterOf(plans),
    token: options.token ?? 'etcd-ops-test',
    endpoint: first.endpoint,
    clientUrl: first.endpoint,
    dataDir: first.dataDir,
    get pid() {
      return first.pid;
    },
    log: () => members.map((member) => member.log()).join('\n'),
    stop: async () => void (await Promise.all(members.map((member) => member.stop()))),
    kill: async () => void (await Promise.all(members.map((member) => member.kill()))),
    restart: async (flags) => {
      await Promise.all(members.map((member) => member.stop()));
      await startAll(members, flags);
    },
    etcdctl: (...args) =>
      runEtcdctl({ version: binary.version, endpoints, ...(options.tls && { tls: options.tls }) }, ...args),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(members.map((member) => member.kill()));
      await removeScratch();
    },
  };
}
