import { describeStoreSpec } from '@etcd-ops/core';
import { sharedEndpoints } from '../fleet/cluster-warnings.ts';
import { clusterFileWarnings, settingsFileWarnings } from '../fleet/file-warnings.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { renderTable } from '../output/table.ts';
import type { Fleet } from './fleet-file.ts';

/** What --check says of a file that can be read: its clusters, and what cannot work on this host or will surprise. */
export async function tellCheck(fleet: Fleet, output: 'table' | 'json' = 'table'): Promise<void> {
  const warnings = await fleetWarnings(fleet);
  for (const warning of warnings) process.stderr.write(`etcd-ops: ${warning}\n`);
  const { clusters } = fleet;
  if (output === 'json') {
    return emitJson({ clusters: clusters.map(({ name, endpoints }) => ({ name, endpoints })), warnings });
  }
  const rows = clusters.map((spec) => [
    spec.name,
    spec.endpoints.join(','),
    describeStoreSpec(spec.store),
    spec.snapshots.schedule,
  ]);
  emitText(renderTable(['cluster', 'endpoints', 'store', 'full'], rows));
}

/** A file that several clusters name is told once for each setting that names it. */
export async function fleetWarnings({ settings, clusters }: Fleet): Promise<string[]> {
  const found = await Promise.all(
    clusters.map(async (spec, index) => {
      // Each pair once, and a shared file under the name of the first cluster that has it.
      const shared = sharedEndpoints(spec, clusters.slice(0, index));
      const files = await clusterFileWarnings(spec);
      return { name: spec.name, shared, files };
    }),
  );
  const told = new Set<string>();
  const once = (warning: string): boolean => !told.has(warning) && told.add(warning).has(warning);
  return [
    ...(await settingsFileWarnings(settings)),
    ...found.flatMap(({ name, shared, files }) =>
      [...shared, ...files.filter(once)].map((warning) => `${name}: ${warning}`),
    ),
  ];
}
