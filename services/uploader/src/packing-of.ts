import type { ClusterSpec } from '@etcd-ops/bus';
import { readRecipients, type Packing } from '@etcd-ops/core';

/**
 * How a cluster's snapshots are packed. A file of recipients is read each time, so that a rotation needs no restart.
 * @throws EtcdOpsError CONFIG_INVALID when encryption is asked for and there is no sound recipient: nothing is stored in clear then.
 */
export async function packingOf({ snapshots, encryption }: ClusterSpec): Promise<Packing> {
  const { codec, compressionLevel } = snapshots;
  const recipients = encryption === undefined ? undefined : await readRecipients(encryption);
  return { codec, compressionLevel, recipients };
}
