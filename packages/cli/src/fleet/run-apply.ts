import { connectBus, ensureTopology, inboxPrefix, type Bus } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { applyClusters, type ClusterChanges } from '../daemon/apply-clusters.ts';
import { natsAccess, type NatsOptions } from '../daemon/nats-access.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { tellCheck } from '../up/check-fleet.ts';
import { readFleetFile, type Fleet } from '../up/fleet-file.ts';
import { natsOfFile } from '../up/run-up.ts';

/** The user in the account of people's requests. */
export interface OpsOptions {
  natsOpsUser?: string;
  natsOpsPasswordFile?: string;
  natsOpsNkey?: string;
  natsOpsCreds?: string;
}

export interface ApplyOptions extends NatsOptions, OpsOptions {
  config: string;
  replicas: number;
  prune: boolean;
  check: boolean;
  output: 'table' | 'json';
}

/** Makes the streams and buckets of a fleet on NATS, and tells its services which clusters they care for. */
export async function runApply(options: ApplyOptions): Promise<void> {
  const fleet = await readFleetFile(options.config);
  if (options.check) return await tellCheck(fleet, options.output);
  const { replicas } = options;
  const hasOps = opsOptions(options) !== undefined;
  // Requests first: a service that finds its clusters then finds all the rest as well.
  if (hasOps) {
    await using ops = await connect(opsAccess(options, fleet), fleet, 'operator-ops');
    await ensureTopology(ops, { part: 'ops', replicas });
  }
  await using bus = await connect(options, fleet, 'operator');
  await ensureTopology(bus, { part: hasOps ? 'core' : 'all', replicas });
  const changes = await applyClusters(bus, fleet.clusters, () => options.prune, { replicas });
  if (options.output === 'json') emitJson(changes);
  else emitText(describe(changes, fleet));
}

async function connect(options: NatsOptions, fleet: Fleet, role: string): Promise<Bus> {
  const access = (await natsAccess(options)) ?? (await natsOfFile(fleet));
  if (access === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: 'No NATS is named',
      remedy: 'Add --nats nats://host:4222, or `nats: { url: ... }` to the file.',
    });
  }
  return await connectBus({ ...access, name: `etcd-ops apply (${role})`, inboxPrefix: inboxPrefix(role) });
}

/** The same server and certificates, another user. */
function opsAccess(options: ApplyOptions, { settings: { nats } }: Fleet): NatsOptions {
  const { natsCacert = nats?.caFile, natsCert = nats?.certFile, natsKey = nats?.keyFile } = options;
  const urls = options.nats ?? (nats === undefined ? undefined : [nats.url].flat());
  return {
    ...(urls === undefined ? {} : { nats: urls }),
    ...opsOptions(options),
    ...(natsCacert === undefined ? {} : { natsCacert }),
    ...(natsCert === undefined ? {} : { natsCert }),
    ...(natsKey === undefined ? {} : { natsKey }),
  };
}

/** Undefined: NATS has one account for all. */
export function opsOptions(options: OpsOptions): NatsOptions | undefined {
  const { natsOpsUser, natsOpsPasswordFile, natsOpsNkey, natsOpsCreds } = options;
  if ([natsOpsUser, natsOpsNkey, natsOpsCreds].every((value) => value === undefined)) return undefined;
  return {
    ...(natsOpsUser === undefined ? {} : { natsUser: natsOpsUser }),
    ...(natsOpsPasswordFile === undefined ? {} : { natsPasswordFile: natsOpsPasswordFile }),
    ...(natsOpsNkey === undefined ? {} : { natsNkey: natsOpsNkey }),
    ...(natsOpsCreds === undefined ? {} : { natsCreds: natsOpsCreds }),
  };
}

function describe({ added, changed, removed }: ClusterChanges, { clusters }: Fleet): string {
  const told = [
    added.length === 0 ? '' : `new: ${added.join(', ')}`,
    changed.length === 0 ? '' : `changed: ${changed.join(', ')}`,
    removed.length === 0 ? '' : `no longer cared for: ${removed.join(', ')}`,
  ].filter((part) => part !== '');
  const count = `${clusters.length} ${clusters.length === 1 ? 'cluster' : 'clusters'}`;
  return told.length === 0 ? `${count}, nothing to change` : `${count}; ${told.join('; ')}`;
}
