import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bus } from '@etcd-ops/bus';
import { eventually, startNatsCluster, type TestNats, type TestNatsCluster } from '@etcd-ops/test-kit';

/** A loopback address for each host that `nats-config` is told of. */
const HOSTS = { n1: '127.0.0.1', n2: '127.0.0.2', n3: '127.0.0.3' };
export const NODES = Object.entries(HOSTS).map(([name, host]) => `${name}=${host}`);
const CATCH_UP_MS_MAX = 120_000;

/** Starts what `nats-config` wrote into `dir` for NODES: only addresses and the store are others, since the machine is one. */
export function startNodes(dir: string, options: { version: string; nkeySeed: string }): Promise<TestNatsCluster> {
  return startNatsCluster({
    version: options.version,
    access: { nkeySeed: options.nkeySeed },
    configOf({ name, port, storeDir, routePort, routePorts }) {
      const lines = readFileSync(join(dir, `${name}.conf`), 'utf8')
        // An include is looked for beside the file.
        .replace('include "accounts.conf"', () => readFileSync(join(dir, 'accounts.conf'), 'utf8'))
        .replace('store_dir: "/data"', `store_dir: ${JSON.stringify(storeDir)}`)
        .replace('"0.0.0.0:4222"', `"127.0.0.1:${port}"`)
        .replace('"0.0.0.0:8222"', '"127.0.0.1:-1"')
        .replace('"0.0.0.0:6222"', `"127.0.0.1:${routePort}"`);
      return Object.values(HOSTS).reduce(
        (text, host, index) => text.replace(`//${host}:6222`, `//127.0.0.1:${routePorts[index]!}`),
        lines,
      );
    },
  });
}

/** The node that leads a stream, or holds the consumer that is asked for. */
export async function leaderOf(cluster: TestNatsCluster, bus: Bus, stream: string): Promise<TestNats> {
  const { cluster: group } = await (await bus.jsm()).streams.info(stream);
  return nodeOf(cluster, group?.leader);
}

export function nodeOf(cluster: TestNatsCluster, name: string | undefined): TestNats {
  const node = cluster.servers[Number(name?.slice(1)) - 1];
  if (node === undefined) throw new Error(`there is no node ${name ?? 'that leads'}`);
  return node;
}

/**
 * Waits until every replica of every stream and consumer has caught up. Who kills the next node before that takes the majority from
 * what the last one had not got back yet: JetStream then answers with 503 for most of a minute.
 */
export async function whenReplicasAreCurrent(bus: Bus): Promise<void> {
  const jsm = await bus.jsm();
  await eventually(
    async () => {
      for await (const { config, cluster } of jsm.streams.list()) {
        const replicas = cluster?.replicas ?? [];
        const isWhole = cluster?.leader !== undefined && replicas.length === config.num_replicas - 1;
        if (!isWhole || replicas.some(({ current, offline }) => !current || offline)) return false;
      }
      return true;
    },
    { timeoutMs: CATCH_UP_MS_MAX },
  );
}
