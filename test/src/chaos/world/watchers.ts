import type { ChaosWorld } from './chaos-world.ts';
import type { ServiceProcess } from './service-process.ts';

/** How many clusters a watcher captures now, as its own health tells; 0 while it does not answer. */
export async function clustersOf(watcher: ServiceProcess): Promise<number> {
  const port = /"port":(\d+),"msg":"Health and metrics are served"(?![\s\S]*Health and metrics are served)/.exec(
    watcher.log(),
  )?.[1];
  if (port === undefined || !watcher.running || watcher.paused) return 0;
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
  return Number(/watching (\d+) clusters/.exec(await answer.text())?.[1] ?? 0);
}

/** The watcher that captures the one cluster of a world. @throws while there is none. */
export async function ownerOf(world: ChaosWorld): Promise<ServiceProcess> {
  for (const watcher of world.servicesOf('watcher')) if ((await clustersOf(watcher)) > 0) return watcher;
  throw new Error('nobody captures it');
}
