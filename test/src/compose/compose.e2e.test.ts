import { callApi, jobAnswerSchema, listAnswerSchema, restoreAnswerSchema, type Bus } from '@etcd-ops/bus';
import { eventually } from '@etcd-ops/test-kit';
import { beforeAll, expect, test } from 'vitest';
import { buildImages, composeProject, type ComposeProject } from './compose-project.ts';
import { whyNoCompose } from './docker.ts';

const SERVICES = ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'maintainer', 'restorer'];
/** A member of each cluster. */
const MEMBERS = ['etcd-lone', 'etcd-2'];
const SCALED_UP = 'up --wait --wait-timeout 120 --no-recreate --scale watcher=3 --scale uploader=3'.split(' ');
const BUILD_LIMIT_MS = 400_000;
const LIMIT_MS = 600_000;
const WAIT = { timeoutMs: 90_000, intervalMs: 500 };

let reason: string | undefined;
beforeAll(async () => {
  reason = (await whyNoCompose()) ?? (await buildImages());
}, BUILD_LIMIT_MS);

test(
  'a fleet of containers backs up, is scaled, loses a watcher, an uploader and NATS, and restores',
  { timeout: LIMIT_MS },
  async (context) => {
    if (reason !== undefined) return context.skip(reason);
    await using project = composeProject(`etcd-ops-test-${process.pid}`);
    await project.explaining(() => liveThrough(project));
  },
);

async function liveThrough(project: ComposeProject): Promise<void> {
  await project.run(['up', '--wait', '--wait-timeout', '180'], 200_000);
  await everyServiceIsRestricted(project);
  await bothAreStored(project, 'k1');

  await project.run(SCALED_UP, 150_000);
  expect(await project.containers('watcher')).toHaveLength(3);
  expect(await project.containers('uploader')).toHaveLength(3);

  // Without a word: their work goes over to the others. Two of each, so that whoever had the clusters is likely to be among them.
  for (const service of ['watcher', 'uploader']) {
    for (const container of (await project.containers(service)).slice(0, 2)) await project.kill(container);
  }
  await bothAreStored(project, 'k2');

  // What is written while NATS is away is captured when it is back.
  for (const container of await project.containers('nats')) await project.kill(container);
  for (const member of MEMBERS) await put(project, member, 'k3');
  await project.run(SCALED_UP, 150_000);
  const revision = await bothAreStored(project, 'k4');

  // A restore, proved by etcd's own hash of the living cluster.
  await restoredMeanwhile(project, { cluster: 'lone', revision, dataDir: '/restored/lone' });
  const living = await hashOfLiving(project, 'etcd-lone', revision);
  const rebuilt = await project.exec('restorer', 'etcd-ops', 'hash', '/restored/lone', '-o', 'json');
  expect(JSON.parse(rebuilt)).toMatchObject({ hash: living.hash, revision });

  await everyServiceStopsByItself(project);
}

/** Writes a key to each cluster and waits until the backups hold it; answers the revision of `lone`. */
async function bothAreStored(project: ComposeProject, key: string): Promise<number> {
  const revisions: number[] = [];
  for (const member of MEMBERS) revisions.push(await put(project, member, key));
  await using operator = await project.connect();
  for (const [index, cluster] of ['lone', 'three'].entries()) {
    await eventually(() => isStored(operator, cluster, revisions[index]!), WAIT);
  }
  return revisions[0]!;
}

async function put(project: ComposeProject, member: string, key: string): Promise<number> {
  const answer = await project.exec(member, 'etcdctl', 'put', key, `value of ${key}`, '-w', 'json');
  return (JSON.parse(answer) as { header: { revision: number } }).header.revision;
}

async function isStored(operator: Bus, cluster: string, revision: number): Promise<boolean> {
  const { ranges } = await callApi(operator, 'list', { cluster }, { answer: listAnswerSchema });
  return ranges.some(({ from, to }) => from <= revision && revision <= to);
}

/** Asks as `nats req` asks, and kills a watcher, an uploader and NATS at once. */
async function restoredMeanwhile(project: ComposeProject, request: object): Promise<void> {
  const id = await askForRestore(project, request);
  for (const service of ['watcher', 'uploader', 'nats']) {
    const [container] = await project.containers(service);
    await project.kill(container!);
  }
  await project.run(SCALED_UP, 150_000);
  await using operator = await project.connect();
  const job = await eventually(async () => {
    const found = await callApi(operator, 'job', { id }, { answer: jobAnswerSchema });
    return ['done', 'failed'].includes(found.state) && found;
  }, WAIT);
  expect(job).toMatchObject({ state: 'done' });
}

async function askForRestore(project: ComposeProject, request: object): Promise<string> {
  const answer = await project.natsRequest('etcdops.restore', request);
  if (answer !== undefined) return restoreAnswerSchema.parse(answer).id;
  await using operator = await project.connect();
  return (await callApi(operator, 'restore', request, { answer: restoreAnswerSchema })).id;
}

async function hashOfLiving(project: ComposeProject, member: string, revision: number): Promise<{ hash: number }> {
  const answer = await project.exec(member, 'etcdctl', 'endpoint', 'hashkv', '--rev', String(revision), '-w', 'json');
  return (JSON.parse(answer) as [{ HashKV: { hash: number } }])[0].HashKV;
}

async function everyServiceIsRestricted(project: ComposeProject): Promise<void> {
  for (const service of [...SERVICES, 'nats', ...MEMBERS, 's3']) {
    const [container] = await project.containers(service);
    const { Config, HostConfig } = await project.inspect(container!);
    const { ReadonlyRootfs: readOnly, CapDrop: dropped } = HostConfig;
    expect({ service, readOnly, dropped }).toEqual({ service, readOnly: true, dropped: ['ALL'] });
    if (![...MEMBERS, 's3'].includes(service)) expect(Config.User, service).toBe('1000:1000');
    expect(HostConfig.Memory, service).toBeGreaterThan(0);
  }
}

/** SIGTERM is enough, nobody ran out of memory, and NATS had nothing to refuse. */
async function everyServiceStopsByItself(project: ComposeProject): Promise<void> {
  const containers = await Promise.all(SERVICES.map((service) => project.containers(service)));
  await project.run(['stop', ...SERVICES], 120_000);
  for (const container of containers.flat()) {
    const { State } = await project.inspect(container);
    expect([State.Status, State.ExitCode, State.OOMKilled]).toEqual(['exited', 0, false]);
  }
  expect(await project.run(['logs', '--no-color', 'nats'])).not.toContain('Violation');
}
