import { isDeepStrictEqual } from 'node:util';
import { clusterSpecSchema, readTolerantly, type ClusterSpec } from '@etcd-ops/bus';
import {
  clusterRecordKey,
  decodeClusterName,
  decodeClusterRecord,
  describeError,
  isEtcdOpsError,
  type EtcdOpsError,
  type ObjectStore,
} from '@etcd-ops/core';
import { z } from 'zod';

const RECORD_BYTES_MAX = 1024 * 1024;

/** What a repository tells of the configuration of its cluster. */
export interface StoredConfiguration {
  cluster: string;
  spec?: ClusterSpec;
  /** When the spec was written. */
  specAt?: string;
  /** Fields of a later version, which the spec is told without. */
  unknown?: string[];
  /** Why there is no spec. */
  problem?: string;
}

/** The records of all repositories of a store. @throws EtcdOpsError of the store. */
export async function readStoredSpecs(store: ObjectStore): Promise<StoredConfiguration[]> {
  const found: StoredConfiguration[] = [];
  for await (const folder of folders(store)) {
    const cluster = decodeClusterName(folder);
    if (cluster === undefined) continue;
    const read = await readStoredSpec(store, cluster);
    if (read !== undefined) found.push(read);
  }
  return found.toSorted((left, right) => (left.cluster < right.cluster ? -1 : 1));
}

/** The first parts of all keys. One request a folder, however much lies in it. */
async function* folders(store: ObjectStore): AsyncGenerator<string> {
  let after: string | undefined;
  for (;;) {
    let folder: string | undefined;
    for await (const { key } of store.list('', after === undefined ? {} : { after })) {
      folder = key.includes('/') ? key.slice(0, key.indexOf('/')) : undefined;
      // '0' is what follows '/': behind every key of the folder.
      after = folder === undefined ? key : `${folder}0`;
      break;
    }
    if (folder !== undefined) yield folder;
    else if (after === undefined || !(await hasMore(store, after))) return;
  }
}

async function hasMore(store: ObjectStore, after: string): Promise<boolean> {
  for await (const _ of store.list('', { after })) return true;
  return false;
}

/** What one repository tells. Undefined: the folder is no repository. @throws EtcdOpsError of the store. */
export async function readStoredSpec(store: ObjectStore, cluster: string): Promise<StoredConfiguration | undefined> {
  try {
    const record = decodeClusterRecord(await store.get(clusterRecordKey(cluster), { bytesMax: RECORD_BYTES_MAX }));
    if (record.spec === undefined) return { cluster, problem: 'its record holds no configuration' };
    const { value: spec, unknown } = readTolerantly(clusterSpecSchema, record.spec, 'its configuration');
    if (spec.name !== cluster) return { cluster, problem: `its record is of ${spec.name}` };
    return {
      cluster,
      spec,
      ...(record.specAt === undefined ? {} : { specAt: record.specAt }),
      ...(unknown.length === 0 ? {} : { unknown: unknown.map(({ path }) => path.map(String).join('.')) }),
    };
  } catch (error) {
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) return undefined;
    if (isEtcdOpsError(error, 'BUS_MESSAGE_INVALID') || isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) {
      return { cluster, problem: `this version does not understand its configuration: ${reasonOf(error)}` };
    }
    if (isEtcdOpsError(error, 'MANIFEST_DAMAGED') || isEtcdOpsError(error, 'LIMIT_EXCEEDED')) {
      return { cluster, problem: describeError(error) };
    }
    throw error;
  }
}

function reasonOf({ message, cause }: EtcdOpsError): string {
  if (!(cause instanceof z.ZodError)) return message;
  return cause.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`).join('; ');
}

/** Whether a spec stores where its record was found; how a place is reached may differ. */
export function isSamePlace(left: ClusterSpec['store'], right: ClusterSpec['store']): boolean {
  return isDeepStrictEqual(placeOf(left), placeOf(right));
}

function placeOf(store: ClusterSpec['store']): unknown {
  const { provider, bucket } = store;
  return provider === 'Local' ? { provider, bucket } : { provider, bucket, prefix: store.prefix?.replace(/\/$/, '') };
}
