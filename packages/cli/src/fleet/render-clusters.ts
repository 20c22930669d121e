import type { ClusterSpec } from '@etcd-ops/bus';
import { describeStoreSpec } from '@etcd-ops/core';
import { stringify } from 'yaml';
import { formatDuration, renderTable } from '../output/table.ts';
import type { ListedSpec, StoredSpec } from './read-specs.ts';

export function renderClusters(clusters: readonly ListedSpec[]): string {
  if (clusters.length === 0) return 'No cluster is cared for.';
  const rows = clusters.map(({ name, revision, spec, problem }) =>
    spec === undefined
      ? [name, problem ?? '', '', '', '', '', '']
      : [
          name,
          spec.endpoints.join(','),
          describeStoreSpec(spec.store),
          spec.snapshots.schedule,
          spec.snapshots.deltaPeriodMs === 0 ? 'never' : formatDuration(spec.snapshots.deltaPeriodMs),
          spec.managedBy ?? 'file',
          `${labelsOf(spec)}${labelsOf(spec) === '' ? '' : '; '}revision ${revision ?? 0}`,
        ],
  );
  return renderTable(['cluster', 'endpoints', 'store', 'full', 'delta', 'managed by', 'more'], rows);
}

/** As a file of `edit --file` has it. */
export function renderSpec({ spec, revision }: StoredSpec): string {
  const { version: _, managedBy, ...fields } = spec;
  return `# revision ${revision}, managed by ${managedBy ?? 'a file'}\n${stringify(fields)}`.trimEnd();
}

function labelsOf({ labels = {} }: ClusterSpec): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
