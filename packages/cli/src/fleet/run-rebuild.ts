import { CLUSTERS_BUCKET, connectBus, ensureTopology, inboxPrefix, type Bus, type ClusterSpec } from '@etcd-ops/bus';
import { describeStoreSpec, EtcdOpsError, openStore } from '@etcd-ops/core';
import { natsAccess, type NatsOptions } from '../daemon/nats-access.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { confirm } from '../output/confirm.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { renderTable } from '../output/table.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { sharedEndpoints } from './cluster-warnings.ts';
import { connectFleet } from './fleet-bus.ts';
import { readSpecs } from './read-specs.ts';
import { opsOptions, type OpsOptions } from './run-apply.ts';
import { create } from './run-cluster.ts';
import { isSamePlace, readStoredSpecs, type StoredConfiguration } from './stored-specs.ts';

export interface RebuildOptions extends Omit<RepositoryOptions, 'clusterName'>, NatsOptions, OpsOptions {
  fromStore: boolean;
  thisStore: boolean;
  dryRun: boolean;
  replicas: number;
  stateDir?: string;
  yes: boolean;
  output: 'table' | 'json';
}

/** `add`: NATS does not know it; `known`: left alone; `unreadable`: has to be added by hand. */
interface Step {
  cluster: string;
  action: 'add' | 'known' | 'unreadable';
  spec?: ClusterSpec;
  specAt?: string;
  warnings: string[];
}

/** Registers the clusters of a store that NATS does not know. @throws EtcdOpsError NO_BACKUP, CANCELLED, STORE_*, BUS_*. */
export async function runRebuild(options: RebuildOptions): Promise<void> {
  if (!options.fromStore) {
    throw new EtcdOpsError('USAGE', {
      message: 'A fleet can be rebuilt from its store only',
      remedy: 'Give --from-store and the flags of the store.',
    });
  }
  const place = storeSpec({ ...options, clusterName: '' });
  const store = await openStore(place);
  let stored: StoredConfiguration[];
  try {
    stored = await readStoredSpecs(store);
  } finally {
    await store.close?.();
  }
  if (stored.length === 0) {
    throw new EtcdOpsError('NO_BACKUP', {
      message: `No repository lies in ${describeStoreSpec(place)}`,
      remedy: 'Name the store of the fleet with --storage-provider, --bucket and --store-folder.',
    });
  }
  await using bus = await connectFleet(options);
  // A NATS that was lost has no buckets to read.
  if (!options.dryRun) await prepare(bus, options);
  const known = (await hasBuckets(bus)) ? await readSpecs(bus) : [];
  const others = known.flatMap(({ spec }) => spec ?? []);
  const steps = stored.map((one) => stepOf(one, { known: known.map(({ name }) => name), others, place, options }));
  const toAdd = steps.flatMap(({ action, spec }) => (action === 'add' && spec !== undefined ? [spec] : []));
  if (options.output === 'table' || (!options.yes && !options.dryRun)) process.stderr.write(`${render(steps)}\n`);
  if (!options.dryRun && toAdd.length > 0) {
    await confirm({ what: `${toAdd.map(({ name }) => name).join(', ')}: cared for from now on.`, yes: options.yes });
    for (const spec of toAdd) await create(bus, spec, options.replicas);
  }
  if (options.output === 'json') return emitJson({ dryRun: options.dryRun, clusters: steps });
  const said = options.dryRun ? 'would be registered' : 'registered';
  emitText(`${toAdd.length} of ${steps.length} ${steps.length === 1 ? 'repository' : 'repositories'} ${said}`);
}

function stepOf(
  { cluster, spec, specAt, problem, unknown = [] }: StoredConfiguration,
  context: {
    known: readonly string[];
    others: readonly ClusterSpec[];
    place: ClusterSpec['store'];
    options: RebuildOptions;
  },
): Step {
  const { known, others, place, options } = context;
  if (known.includes(cluster)) return { cluster, action: 'known', warnings: [] };
  if (spec === undefined) return { cluster, action: 'unreadable', warnings: [problem ?? 'it cannot be read'] };
  const warnings = sharedEndpoints(spec, others);
  if (unknown.length > 0) warnings.push(`a later version wrote fields that are left away: ${unknown.join(', ')}`);
  if (!options.thisStore && !isSamePlace(spec.store, place)) {
    warnings.push(`it stores in ${describeStoreSpec(spec.store)}, not where its record was found; see --this-store`);
  }
  const rebuilt: ClusterSpec = { ...spec, ...(options.thisStore ? { store: place } : {}), managedBy: 'operator' };
  return { cluster, action: 'add', spec: rebuilt, ...(specAt === undefined ? {} : { specAt }), warnings };
}

async function prepare(bus: Bus, options: RebuildOptions): Promise<void> {
  const asked = opsOptions(options);
  if (asked !== undefined) {
    const { nats, natsCacert, natsCert, natsKey } = options;
    const access = await natsAccess(definedOf({ nats, natsCacert, natsCert, natsKey, ...asked }));
    if (access !== undefined) {
      await using ops = await connectBus({
        ...access,
        name: 'etcd-ops fleet',
        inboxPrefix: inboxPrefix('operator-ops'),
      });
      await ensureTopology(ops, { part: 'ops', replicas: options.replicas });
    }
  }
  if (await hasBuckets(bus)) return;
  await ensureTopology(bus, { part: asked === undefined ? 'all' : 'core', replicas: options.replicas });
}

function definedOf(fields: Record<string, unknown>): NatsOptions {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function hasBuckets(bus: Bus): Promise<boolean> {
  const jsm = await bus.slowJsm();
  for await (const name of jsm.streams.names()) if (name === `KV_${CLUSTERS_BUCKET}`) return true;
  return false;
}

function render(steps: readonly Step[]): string {
  const rows = steps.map(({ cluster, action, spec, specAt, warnings }) => [
    cluster,
    action,
    spec?.endpoints.join(',') ?? '',
    spec === undefined ? '' : describeStoreSpec(spec.store),
    spec?.snapshots.schedule ?? '',
    [specAt === undefined ? '' : `as of ${specAt}`, ...warnings].filter((said) => said !== '').join('; '),
  ]);
  return renderTable(['cluster', 'what', 'endpoints', 'store', 'full', 'remark'], rows);
}
