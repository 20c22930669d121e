import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from '@etcd-ops/bus';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'deploy', 'kubernetes');
/** Read by kustomize and by etcd-ops, not by Kubernetes. */
const OTHERS = ['kustomization.yaml', 'clusters.yaml'];
const EXAMPLES = ['etcd-with-ensure.yaml'];

interface Container {
  name: string;
  args?: string[];
  resources?: { limits?: { memory?: string } };
  securityContext?: unknown;
  readinessProbe?: unknown;
  livenessProbe?: unknown;
  volumeMounts?: { name: string; mountPath: string }[];
}
interface PodSpec {
  automountServiceAccountToken?: boolean;
  securityContext?: unknown;
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string; secret?: { secretName: string } }[];
}
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: {
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    selector?: unknown;
    podSelector?: Selector;
    jobLabel?: string;
  };
}
interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: 'In'; values: string[] }[];
}
interface Found {
  file: string;
  manifest: Manifest;
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml') && !OTHERS.includes(name));
const manifests: Found[] = files.flatMap((file) =>
  parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => ({
    file,
    manifest: document.toJS() as Manifest,
  })),
);
const pods = manifests.flatMap(({ file, manifest }) => {
  const spec = manifest.spec?.template?.spec;
  return spec === undefined ? [] : [{ file, name: manifest.metadata.name, spec }];
});
const deployments = pods.filter(({ file }) => !EXAMPLES.includes(file) && file !== 'apply.yaml');

interface Model {
  validate(): void;
}

test.for(manifests.map(({ file, manifest }) => [file, manifest.kind, manifest] as const))(
  '%s: the %s follows the schema of Kubernetes',
  async ([, , manifest], context) => {
    if (manifest.apiVersion.startsWith('monitoring.coreos.com/')) {
      return context.skip('the Prometheus operator has schemas of its own');
    }
    const path = `kubernetes-models/${manifest.apiVersion}/${manifest.kind}`;
    const module = (await import(path)) as Record<string, new (data: object) => Model>;
    const Kind = module[manifest.kind]!;
    new Kind(manifest).validate();
    // The schema is really asked: a field of the wrong type is refused.
    expect(() => new Kind({ ...manifest, metadata: { name: 7 } }).validate()).toThrow(/name/);
  },
);

test('the kustomization names every file', () => {
  const [document] = parseAllDocuments(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8'));
  const { resources } = document!.toJS() as { resources: string[] };
  expect(resources.toSorted()).toEqual(files.filter((file) => !EXAMPLES.includes(file)).toSorted());
});

test('all six services are there, each with its own user and no other', () => {
  expect(deployments.map(({ name }) => name).toSorted()).toEqual(
    ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'maintainer', 'restorer'].toSorted(),
  );
  for (const { name, spec } of deployments) {
    const users = (spec.volumes ?? []).flatMap(({ secret }) => /^nats-(.*)$/.exec(secret?.secretName ?? '')?.[1] ?? []);
    expect(users).toEqual(name === 'restorer' ? ['restorer', 'restorer-ops'] : [name]);
    for (const user of users) expect(ROLES.map((role) => role.name)).toContain(user);
    expect(spec.containers[0]).toMatchObject({ args: ['service', name], readinessProbe: {}, livenessProbe: {} });
  }
});

test.for(pods.map(({ file, spec }) => [file, spec] as const))('%s: as restricted as pods can be', ([, spec]) => {
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    expect(container.securityContext, container.name).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources?.limits?.memory, container.name).toBeTypeOf('string');
    const volumes = new Set([...(spec.volumes ?? []).map(({ name }) => name), 'data']);
    for (const { name } of container.volumeMounts ?? []) expect(volumes).toContain(name);
  }
});

test('Prometheus gives the targets the job that the alert rules ask for', () => {
  const [{ manifest: monitor } = { manifest: undefined }] = ofKind('ServiceMonitor');
  const selector = monitor!.spec!.selector as Required<Selector>;
  const scraped = ofKind('Service').filter(({ manifest }) => matches(selector, manifest.metadata.labels ?? {}));
  const jobs = scraped.map(({ manifest }) => manifest.metadata.labels![monitor!.spec!.jobLabel!]);
  const compose = readFileSync(join(FOLDER, '..', 'prometheus', 'prometheus.yml'), 'utf8');
  expect(jobs).toEqual([/job_name: (.*)/.exec(compose)![1]]);
});

test('network policies and disruption budgets meet the pods that they are for', () => {
  const policiesOf = (labels: Record<string, string>): string[] =>
    ofKind('NetworkPolicy').flatMap(({ manifest: { metadata, spec } }) =>
      matches(spec!.podSelector!, labels) ? [metadata.name] : [],
    );
  const labelled = manifests.flatMap(({ file, manifest }) => {
    const labels = manifest.spec?.template?.metadata.labels;
    return labels === undefined || EXAMPLES.includes(file) ? [] : [[manifest.metadata.name, labels] as const];
  });
  expect(Object.fromEntries(labelled.map(([name, labels]) => [name, policiesOf(labels)]))).toEqual({
    apply: ['everybody'],
    scheduler: ['everybody'],
    watcher: ['everybody', 'to-etcd', 'to-store'],
    uploader: ['everybody', 'to-etcd', 'to-store'],
    maintainer: ['everybody', 'to-etcd', 'to-store'],
    'garbage-collector': ['everybody', 'to-store'],
    restorer: ['everybody', 'to-store'],
  });
  for (const { manifest } of ofKind('PodDisruptionBudget')) {
    const met = labelled.filter(([, labels]) => matches(manifest.spec!.selector as Selector, labels));
    expect(met.map(([name]) => name)).toEqual([manifest.metadata.name]);
  }
});

function ofKind(kind: string): Found[] {
  return manifests.filter(({ file, manifest }) => manifest.kind === kind && !EXAMPLES.includes(file));
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  );
}
