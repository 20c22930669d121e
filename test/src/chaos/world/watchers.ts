import type { ChaosWorld } from './chaos-world.ts';
import type { ServiceProcess } from './service-process.ts';

/** A process of a service that tells in its log where it can be asked. */
type Asked = Pick<ServiceProcess, 'log' | 'running' | 'paused'>;

/** How many clusters a watcher captures now, as its own health tells; 0 while it does not answer. */
export async function clustersOf(watcher: Asked): Promise<number> {
  return Number(/watching (\d+) clusters/.exec(await readiness(watcher))?.[1] ?? 0);
}

/** Whether every watcher is up, with or without clusters. */
export async function readyWatchers(world: ChaosWorld): Promise<boolean> {
  const answers = await Promise.all(world.servicesOf('watcher').map(readiness));
  return answers.every((answer) => answer.includes('watching'));
}

/** A metric of a service that runs, the sum over its series; NaN when it has none. */
export async function metricOf(service: ServiceProcess, name: string): Promise<number> {
  const lines = (await answerOf(service, 'metrics')).split('\n').filter((line) => line.startsWith(`etcdops_${name}{`));
  return lines.length === 0 ? Number.NaN : lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function readiness(watcher: Asked): Promise<string> {
  return answerOf(watcher, 'readyz');
}

async function answerOf(watcher: Asked, path: string): Promise<string> {
  const port = /"port":(\d+),"msg":"Health and metrics are served"(?![\s\S]*Health and metrics are served)/.exec(
    watcher.log(),
  )?.[1];
  if (port === undefined || !watcher.running || watcher.paused) return '';
  const answer = await fetch(`http://127.0.0.1:${port}/${path}`, { signal: AbortSignal.timeout(2_000) });
  return await answer.text();
}

/** The watcher that captures the one cluster of a world. @throws while there is none. */
export async function ownerOf(world: ChaosWorld): Promise<ServiceProcess> {
  for (const watcher of world.servicesOf('watcher')) if ((await clustersOf(watcher)) > 0) return watcher;
  throw new Error('nobody captures it');
}
