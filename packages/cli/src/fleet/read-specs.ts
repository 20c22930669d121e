import { clusterKey, clusterSpecs, type Bus, type ClusterSpec, type Stored, type UnknownField } from '@etcd-ops/bus';
import { decodeClusterName, EtcdOpsError, isEtcdOpsError, nearestName } from '@etcd-ops/core';

/** Reads of NATS at the same time. */
const READS_MAX = 16;

export interface StoredSpec {
  name: string;
  /** Of the spec in NATS; --revision takes it. */
  revision: number;
  spec: ClusterSpec;
  /** Fields that this version does not know. */
  unknown?: readonly UnknownField[];
}

/** One that another version wrote has no spec that this one can read. */
export type ListedSpec = Pick<StoredSpec, 'name'> & Partial<StoredSpec> & { problem?: string };

/** All clusters under care, in the order of their names. @throws EtcdOpsError of the bus. */
export async function readSpecs(bus: Bus): Promise<ListedSpec[]> {
  const documents = clusterSpecs(bus);
  const keys = await documents.keys();
  const read = async (key: string): Promise<ListedSpec[]> => {
    try {
      const stored = await documents.get(key);
      return stored === undefined ? [] : [told(stored)];
    } catch (error) {
      if (!isEtcdOpsError(error, 'BUS_MESSAGE_INVALID') && !isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) throw error;
      return [{ name: decodeClusterName(key) ?? key, problem: error.message }];
    }
  };
  const found: ListedSpec[] = [];
  for (let first = 0; first < keys.length; first += READS_MAX) {
    found.push(...(await Promise.all(keys.slice(first, first + READS_MAX).map(read))).flat());
  }
  return found.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** @throws EtcdOpsError CONFIG_INVALID when there is no such cluster; BUS_MESSAGE_INVALID when it cannot be read. */
export async function specOf(bus: Bus, name: string): Promise<StoredSpec> {
  const stored = await clusterSpecs(bus).get(clusterKey(name));
  if (stored !== undefined) return told(stored);
  const names = (await readSpecs(bus)).map((one) => one.name);
  const nearest = nearestName(name, names);
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `There is no cluster ${name}`,
    cause: new Error(names.length === 0 ? 'No cluster is cared for.' : `${names.length} others are cared for.`),
    remedy:
      nearest === undefined
        ? 'List them with `etcd-ops cluster list`.'
        : `Did you mean --cluster-name ${nearest}? \`etcd-ops cluster list\` shows them all.`,
  });
}

function told({ value, revision, unknown }: Stored<ClusterSpec>): StoredSpec {
  return { name: value.name, revision, spec: value, ...(unknown.length === 0 ? {} : { unknown }) };
}
