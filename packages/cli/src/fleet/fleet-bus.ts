import { join, resolve } from 'node:path';
import { connectBus, inboxPrefix, readConnectionFile, TASKS_STREAM, type Bus } from '@etcd-ops/bus';
import { encodeClusterName, EtcdOpsError } from '@etcd-ops/core';
import { localDaemon } from '../daemon/local-daemon.ts';
import { natsAccess, type NatsOptions } from '../daemon/nats-access.ts';

export interface FleetBusOptions extends NatsOptions {
  stateDir?: string;
  storageProvider: 'Local' | 'S3' | 'OSS';
  bucket: string;
  clusterName?: string;
}

/** The NATS of a fleet, or of the daemon of a state directory. @throws EtcdOpsError BUS_UNREACHABLE. */
export async function connectFleet(options: FleetBusOptions): Promise<Bus> {
  const access = (await natsAccess(options)) ?? (await localDaemon(await daemonDirectory(options)));
  // A role may listen below its own inbox only; one who just looks is another user.
  const role = options.natsUser ?? 'operator';
  return await connectBus({ ...access, name: 'etcd-ops cluster', inboxPrefix: inboxPrefix(role) });
}

/** That of `up` beside the repositories, else that of a `snapshot`, where one of them runs. */
async function daemonDirectory({ stateDir, storageProvider, bucket, clusterName }: FleetBusOptions): Promise<string> {
  if (stateDir !== undefined) return stateDir;
  const root =
    storageProvider === 'Local'
      ? join(resolve(bucket), '.etcd-ops')
      : join(resolve('.etcd-ops'), encodeClusterName(bucket));
  const ofUp = join(root, 'up');
  if (clusterName === undefined || (await readConnectionFile(ofUp)) !== undefined) return ofUp;
  return join(root, encodeClusterName(clusterName));
}

/** How many copies the streams of this fleet have. @throws EtcdOpsError BUS_FAILED when they were never made. */
export async function replicasOf(bus: Bus): Promise<number> {
  const jsm = await bus.slowJsm();
  try {
    return (await jsm.streams.info(TASKS_STREAM)).config.num_replicas;
  } catch (error) {
    throw new EtcdOpsError('BUS_FAILED', {
      message: 'The streams of a fleet are not on this NATS',
      cause: error,
      remedy: 'Make them with `etcd-ops apply`, or with `etcd-ops fleet rebuild` from the store.',
    });
  }
}
