import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { clusterKey, clusterSpecs, ensureEventStream, type Bus, type ClusterSpec } from '@etcd-ops/bus';
import { describeStoreSpec, EtcdOpsError, readRecipients } from '@etcd-ops/core';
import { clusterFromOptions, type ClusterOptions } from '../daemon/cluster-from-options.ts';
import type { NatsOptions } from '../daemon/nats-access.ts';
import { UsageError } from '../options/usage-error.ts';
import { confirm } from '../output/confirm.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { parseClusters } from '../up/fleet-file.ts';
import { etcdWarnings, sharedEndpoints } from './cluster-warnings.ts';
import { checkSpec, editSpec } from './edit-spec.ts';
import { connectFleet, replicasOf } from './fleet-bus.ts';
import { readSpecs, specOf, type StoredSpec } from './read-specs.ts';
import { renderClusters, renderSpec } from './render-clusters.ts';

export type ClusterAction = 'add' | 'edit' | 'remove' | 'list' | 'show';

export interface ClusterCommandOptions extends Omit<ClusterOptions, 'clusterName'>, NatsOptions {
  clusterName?: string;
  file?: string;
  set?: string[];
  unset?: string[];
  revision?: number;
  label?: string[];
  check: boolean;
  dryRun: boolean;
  yes: boolean;
  stateDir?: string;
  output: 'table' | 'json';
}

/** What was done, or with --dry-run would be. */
interface Changed {
  cluster: string;
  action: 'added' | 'edited' | 'removed' | 'unchanged';
  /** Of the spec; absent when nothing was written. */
  revision?: number;
  /** Where the backups lie. */
  backups: string;
  warnings: string[];
}

const FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Changes or tells which clusters are cared for.
 * @throws UsageError with everything that is wrong; EtcdOpsError CONFIG_INVALID, CLUSTER_SPEC_CHANGED, ETCD_*, BUS_*.
 */
export async function runCluster(options: ClusterCommandOptions, action: ClusterAction): Promise<void> {
  // What is wrong with the words themselves is told before anything is asked of NATS.
  const wanted = action === 'add' ? await wantedOf(options) : [];
  const name = action === 'add' || action === 'list' ? '' : nameOf(options, action);
  const labels = labelsOf(options);
  await using bus = await connectFleet(options);
  switch (action) {
    case 'add':
      return tell(await addAll(bus, wanted, options), options);
    case 'edit':
      return tell([await edit(bus, name, options)], options);
    case 'remove':
      return tell([await remove(bus, name, options)], options);
    case 'list': {
      const stored = (await readSpecs(bus)).filter(({ spec }) => hasLabels(spec, labels));
      if (options.output === 'json') return emitJson({ clusters: stored });
      return emitText(renderClusters(stored));
    }
    case 'show': {
      const stored = await specOf(bus, name);
      if (options.output === 'json') return emitJson(stored);
      return emitText(renderSpec(stored));
    }
  }
}

async function wantedOf(options: ClusterCommandOptions): Promise<ClusterSpec[]> {
  const labels = labelsOf(options);
  const specs =
    options.file === undefined
      ? [clusterFromOptions({ ...options, ...safeUser(options), clusterName: nameOf(options, 'add') })]
      : await readClusters(options.file);
  for (const { encryption } of specs) if (encryption !== undefined) await readRecipients(encryption);
  return specs.map((spec) =>
    checkSpec({
      ...spec,
      ...(Object.keys(labels).length === 0 ? {} : { labels: { ...spec.labels, ...labels } }),
      managedBy: 'operator',
    }),
  );
}

/** Of `name:password` the password must not come as far as a message. */
function safeUser({ etcdUsername, etcdPasswordFile }: ClusterCommandOptions): { etcdUsername?: string } {
  if (etcdUsername === undefined || etcdPasswordFile !== undefined) return {};
  return { etcdUsername: etcdUsername.split(':', 1)[0]! };
}

async function readClusters(path: string): Promise<ClusterSpec[]> {
  if (path === '-') return parseClusters(await textOf(process.stdin), { name: 'standard input', directory: '.' });
  try {
    const bytes = await readFile(path);
    if (bytes.length > FILE_BYTES_MAX) throw new Error(`it has ${bytes.length} bytes`);
    return parseClusters(bytes.toString('utf8'), { name: basename(path), directory: dirname(resolve(path)) });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The file ${path} cannot be read`,
      remedy: 'Name a file of one cluster, or of many as `up` has them, with --file; - is standard input.',
      cause: error,
    });
  }
}

function nameOf({ clusterName }: ClusterCommandOptions, action: ClusterAction): string {
  if (clusterName !== undefined) return clusterName;
  throw new UsageError([
    {
      message: { en: `etcd-ops cluster ${action} needs a cluster`, zh: `etcd-ops cluster ${action} 需要集群名称` },
      remedy: { en: 'Name it with --cluster-name.', zh: '请用 --cluster-name 指定。' },
    },
  ]);
}

function labelsOf({ label = [] }: ClusterCommandOptions): Record<string, string> {
  return Object.fromEntries(
    label.map((written): [string, string] => {
      const equals = written.indexOf('=');
      if (equals > 0) return [written.slice(0, equals), written.slice(equals + 1)];
      throw new UsageError([{ message: `--label ${written} is no key=value`, remedy: 'Write it as env=production.' }]);
    }),
  );
}

function hasLabels(spec: ClusterSpec | undefined, labels: Record<string, string>): boolean {
  return Object.entries(labels).every(([key, value]) => spec?.labels?.[key] === value);
}

/** All or nothing is no promise that NATS could keep; that every one is sound and new is looked at before the first is written. */
async function addAll(bus: Bus, wanted: readonly ClusterSpec[], options: ClusterCommandOptions): Promise<Changed[]> {
  const known = await readSpecs(bus);
  const taken = wanted.filter(({ name }) => known.some((one) => one.name === name));
  if (taken.length > 0) throw isThere(taken.map(({ name }) => name));
  const others = [...known.flatMap(({ spec }) => spec ?? []), ...wanted];
  const warned = await Promise.all(
    wanted.map(async (spec) => [...sharedEndpoints(spec, others), ...(await etcdWarnings(spec, options))]),
  );
  const replicas = await replicasOf(bus);
  const changes: Changed[] = [];
  for (const [index, spec] of wanted.entries()) {
    const change = { cluster: spec.name, action: 'added' as const, backups: placeOf(spec), warnings: warned[index]! };
    if (options.dryRun) changes.push(change);
    else changes.push({ ...change, revision: await create(bus, spec, replicas) });
  }
  return changes;
}

/** @throws EtcdOpsError CONFIG_INVALID when the name is taken. */
export async function create(bus: Bus, spec: ClusterSpec, replicas: number): Promise<number> {
  // The stream first: a watcher that finds the cluster then finds it as well.
  await ensureEventStream(bus, spec.name, { bytesMax: spec.eventBytesMax, replicas });
  const revision = await clusterSpecs(bus).create(clusterKey(spec.name), spec);
  if (revision === undefined) throw isThere([spec.name]);
  return revision;
}

function isThere(names: readonly string[]): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', {
    message: `There is a cluster ${names.join(', ')} already`,
    cause: new Error('A name is the name of the repository, too, and two clusters in one would destroy each other.'),
    remedy: 'Give the new one another name, or change the one that is there with `etcd-ops cluster edit`.',
  });
}

async function edit(bus: Bus, name: string, options: ClusterCommandOptions): Promise<Changed> {
  const { file, set = [], unset = [], revision } = options;
  if (file === undefined && set.length + unset.length === 0) {
    throw new UsageError([{ message: 'Nothing is to be edited', remedy: 'Give --set, --unset or --file.' }]);
  }
  const stored = await specOf(bus, name);
  if (revision !== undefined && revision !== stored.revision) throw changed(name, stored.revision);
  const base =
    file === undefined ? stored.spec : { ...replacement(await readClusters(file), name), ...ownerOf(stored) };
  const spec = editSpec(base, { set, unset }, '.');
  if (spec.encryption !== undefined) await readRecipients(spec.encryption);
  const others = (await readSpecs(bus)).flatMap((one) => one.spec ?? []);
  const warnings = [
    ...sharedEndpoints(spec, others),
    ...(await etcdWarnings(spec, options)),
    ...fileWarning(stored.spec),
    ...unknownWarning(stored),
  ];
  const change = { cluster: name, action: 'edited' as const, backups: placeOf(spec), warnings };
  if (isDeepStrictEqual(spec, stored.spec)) return { ...change, action: 'unchanged', revision: stored.revision };
  if (options.dryRun) return change;
  if (spec.eventBytesMax !== stored.spec.eventBytesMax) {
    await ensureEventStream(bus, name, { bytesMax: spec.eventBytesMax, replicas: await replicasOf(bus) });
  }
  const before = { value: stored.spec, unknown: stored.unknown ?? [] };
  const written = await clusterSpecs(bus).update(clusterKey(name), spec, stored.revision, before);
  if (written === undefined) throw changed(name);
  return { ...change, revision: written };
}

function replacement(specs: readonly ClusterSpec[], name: string): ClusterSpec {
  const found = specs.find((spec) => spec.name === name);
  if (found !== undefined) return found;
  throw new UsageError([
    { message: `The file holds no cluster ${name}`, remedy: 'A cluster keeps its name: it is that of its repository.' },
  ]);
}

function ownerOf({ spec: { managedBy } }: StoredSpec): Pick<ClusterSpec, 'managedBy'> {
  return managedBy === undefined ? {} : { managedBy };
}

function changed(name: string, revision?: number): EtcdOpsError {
  return new EtcdOpsError('CLUSTER_SPEC_CHANGED', {
    message: `The cluster ${name} was changed by somebody else${revision === undefined ? '' : `: it is at revision ${revision}`}; nothing was written`,
    facts: { cluster: name },
  });
}

async function remove(bus: Bus, name: string, options: ClusterCommandOptions): Promise<Changed> {
  const { spec, revision } = await specOf(bus, name);
  if (options.revision !== undefined && options.revision !== revision) throw changed(name, revision);
  const backups = placeOf(spec);
  const change = { cluster: name, action: 'removed' as const, backups, warnings: fileWarning(spec) };
  if (options.dryRun) return change;
  await confirm({
    what: `The cluster ${name} is backed up no longer. Its backups stay in ${backups}.`,
    yes: options.yes,
  });
  if (!(await clusterSpecs(bus).delete(clusterKey(name), revision))) throw changed(name);
  return change;
}

function fileWarning({ name, managedBy }: ClusterSpec): string[] {
  if (managedBy === 'operator') return [];
  return [`${name} comes from a file: change it there, too, for the file wins the next time it is applied`];
}

/** Of fields that a later version has added: they are neither shown nor heeded, and stay. */
function unknownWarning({ name, unknown = [] }: StoredSpec): string[] {
  if (unknown.length === 0) return [];
  const fields = unknown.map(({ path }) => path.map(String).join('.')).join(', ');
  return [`${name} has fields that this version does not know: ${fields}`];
}

function placeOf({ store, name }: ClusterSpec): string {
  return `${describeStoreSpec(store)}, repository ${name}`;
}

function tell(changes: readonly Changed[], { output, dryRun }: ClusterCommandOptions): void {
  for (const { cluster, warnings } of changes) {
    for (const warning of warnings) process.stderr.write(`etcd-ops: ${cluster}: ${warning}\n`);
  }
  if (output === 'json') return emitJson({ dryRun, changes });
  const lines = changes.map(({ cluster, action, revision, backups }) => {
    const said = dryRun && action !== 'unchanged' ? `would be ${action}` : action;
    const at = revision === undefined ? '' : ` (revision ${revision})`;
    return `${cluster}: ${said}${at}; backups in ${backups}`;
  });
  emitText(lines.join('\n'));
}
