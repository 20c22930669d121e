import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { decodeClusterName, EtcdOpsError, isEtcdOpsError, nearestName } from '@etcd-ops/core';

const NAMES_SHOWN_MAX = 8;

/**
 * Adds what only this program knows: which flags were given. The core that found no backup does not know that the folder is not there, or
 * that the repository beside it has nearly the name that was asked for.
 */
export function explainFailure(error: unknown, options: Readonly<Record<string, unknown>>): unknown {
  const { bucket, clusterName, storageProvider, dataDir } = options;
  if (isEtcdOpsError(error, 'DISK_FAILED') && typeof dataDir === 'string' && !error.message.includes(dataDir)) {
    return new EtcdOpsError('DISK_FAILED', {
      message: `${dataDir}: ${error.message}`,
      remedy: error.remedy,
      facts: { path: dataDir, ...error.facts },
      cause: error.cause,
    });
  }
  const isLocal = typeof storageProvider === 'string' && storageProvider.toLowerCase() === 'local';
  if (!isEtcdOpsError(error, 'NO_BACKUP') || !isLocal) return error;
  if (typeof bucket !== 'string' || typeof clusterName !== 'string') return error;
  return noBackup(error, { bucket, clusterName });
}

function noBackup(error: EtcdOpsError, { bucket, clusterName }: { bucket: string; clusterName: string }): EtcdOpsError {
  // Something of that name is there; what is wrong with it was said.
  if (error.facts['timeline'] !== undefined || Number(error.facts['incomplete'] ?? 0) > 0) return error;
  const found = repositoriesIn(resolve(bucket));
  if (typeof found === 'string') {
    return new EtcdOpsError('NO_BACKUP', {
      message: error.message,
      cause: new Error(found),
      facts: { ...error.facts, folder: bucket },
      remedy: 'Name the folder that `etcd-ops snapshot` writes to with --bucket.',
    });
  }
  const nearest = nearestName(clusterName, found);
  const names =
    found.length > NAMES_SHOWN_MAX
      ? `${found.slice(0, NAMES_SHOWN_MAX).join(', ')} and ${found.length - NAMES_SHOWN_MAX} more`
      : found.join(', ');
  return new EtcdOpsError('NO_BACKUP', {
    message: error.message,
    cause: new Error(
      found.length === 0
        ? `No repository lies in ${resolve(bucket)}.`
        : `In ${resolve(bucket)} lie the repositories of ${names}.`,
    ),
    facts: { ...error.facts, folder: bucket, names, nearest },
    remedy: `${nearest === undefined ? '' : `Did you mean --cluster-name ${nearest}? `}Check --bucket and --cluster-name; start \`etcd-ops snapshot\` if it never ran.`,
  });
}

/** Names of clusters, or one sentence about why there are none. */
function repositoriesIn(folder: string): string[] | string {
  try {
    if (!statSync(folder).isDirectory()) return `${folder} is not a folder.`;
    return readdirSync(folder)
      .filter((name) => isRepository(join(folder, name)))
      .map((name) => decodeClusterName(name) ?? name)
      .toSorted();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? `The folder ${folder} does not exist.`
      : `The folder ${folder} cannot be read.`;
  }
}

function isRepository(path: string): boolean {
  try {
    return readdirSync(path).some((name) => /^t\d{8}$/.test(name));
  } catch {
    return false;
  }
}
