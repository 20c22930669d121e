import type { FaultMaker } from './fault.ts';
import { bucketStream, CLUSTERS_BUCKET } from '@etcd-ops/bus';
import { cutTail, type FaultProxy, type Random } from '@etcd-ops/test-kit';

const isEvents = (stream: string): boolean => stream.startsWith('ETCDOPS_EVENTS_');
/** The specs of the clusters are an operator's, written and synced long ago. */
const isDocuments = (stream: string): boolean => !isEvents(stream) && stream !== bucketStream(CLUSTERS_BUCKET);
/** The newest few of the small ones. */
const DOCUMENT_BYTES = 600;

const killNats: FaultMaker = (random, world) => {
  const index = random.integer(0, world.natsServers.length - 1);
  const server = world.natsServers[index]!;
  return { text: `kill nats-server ${index + 1}`, begin: () => server.kill(), end: () => server.start() };
};

const cutNatsTail: FaultMaker = (random, world) => {
  const index = random.integer(0, world.natsServers.length - 1);
  const server = world.natsServers[index]!;
  const bytes = random.integer(1, 40_000);
  const which = random.fraction() < 0.5 ? 'events' : 'all';
  return {
    text: `kill nats-server ${index + 1} and cut ${bytes} bytes off the tail of ${which === 'all' ? 'every stream' : 'the events'}`,
    begin: async () => {
      await server.kill();
      await cutTail(server.storeDir, bytes, isEvents);
      if (which === 'all') await cutTail(server.storeDir, Math.min(bytes, DOCUMENT_BYTES), isDocuments);
    },
    end: async ({ audit, ticks }) => {
      await server.start();
      // One of three is mended by the others; a lone server has lost it.
      if (world.natsServers.length > 1) return;
      world.tailsLost++;
      ticks.restart();
      await audit.restart();
    },
  };
};

const pauseNats: FaultMaker = (random, world) => {
  const index = random.integer(0, world.natsServers.length - 1);
  const server = world.natsServers[index]!;
  return { text: `pause nats-server ${index + 1}`, begin: () => server.pause(), end: () => server.resume() };
};

const killEtcd: FaultMaker = (random, world) => {
  const { members } = world.etcd;
  const isAll = random.fraction() < 0.2;
  const victims = isAll ? members : [members[random.integer(0, members.length - 1)]!];
  return {
    text: `kill etcd ${victims.map(({ name }) => name).join(', ')}`,
    begin: async () => void (await Promise.all(victims.map((member) => member.kill()))),
    end: async () => {
      await Promise.all(victims.filter(({ running }) => !running).map((member) => member.spawn()));
      await Promise.all(victims.map((member) => member.ready()));
    },
  };
};

const pauseEtcd: FaultMaker = (random, world) => {
  const { members } = world.etcd;
  const member = members[random.integer(0, members.length - 1)]!;
  return {
    text: `pause etcd ${member.name}`,
    begin: () => member.signal('SIGSTOP'),
    end: () => member.signal('SIGCONT'),
  };
};

const NO_LINK_FAULTS = { delayMs: 0, bytesPerSecondMax: 0, blackHole: false, refuse: false };

/** What may happen to connections. */
const LINK_FAULTS: Record<string, (proxy: FaultProxy, random: Random) => void> = {
  cut: (proxy) => proxy.cut(),
  refuse: (proxy) => {
    proxy.faults.refuse = true;
    proxy.cut();
  },
  swallow: (proxy) => (proxy.faults.blackHole = true),
  'half-close': (proxy) => proxy.halfClose(),
  delay: (proxy, random) => (proxy.faults.delayMs = random.integer(5, 150)),
  throttle: (proxy, random) => (proxy.faults.bytesPerSecondMax = random.integer(20_000, 500_000)),
};

const breakLinks: FaultMaker = (random, world) => {
  const toEtcd = random.fraction() < 0.4;
  const services = world.servicesOf(random.pick(['watcher', 'watcher', 'uploader', 'uploader', 'scheduler'] as const));
  const isAll = random.fraction() < 0.3;
  const all = toEtcd ? world.etcdProxies : services.map(({ nats }) => nats);
  const proxies = isAll ? all : [all[random.integer(0, all.length - 1)]!];
  const kind = random.pick(Object.keys(LINK_FAULTS));
  const where = toEtcd ? 'etcd' : `${services[0]!.name} and NATS`;
  return {
    text: `${kind} ${isAll ? 'all' : 'one'} of the links to ${where}`,
    begin: () => proxies.forEach((proxy) => LINK_FAULTS[kind]!(proxy, random)),
    end: () => {
      for (const { faults } of proxies) Object.assign(faults, NO_LINK_FAULTS);
    },
  };
};

/** With weights. */
export const SERVER_FAULTS: readonly (readonly [FaultMaker, number])[] = [
  [killNats, 4],
  [cutNatsTail, 3],
  [pauseNats, 2],
  [killEtcd, 4],
  [pauseEtcd, 2],
  [breakLinks, 8],
];
