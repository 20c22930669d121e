import { NO_FAULTS } from '../world/process-faults.ts';
import type { ChaosWorld } from '../world/chaos-world.ts';
import { SERVICE_NAMES, type ServiceName, type ServiceProcess } from '../world/service-process.ts';
import type { Random } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultMaker } from './fault.ts';

/** Those that move data are hit more often. */
const TARGETS: readonly ServiceName[] = [...SERVICE_NAMES, 'watcher', 'watcher', 'uploader', 'uploader', 'uploader'];
const CLOCK_STEP_MS_MAX = 3_600_000;
/** A scheduler that was in the future asks for nothing until its clock is there again: small steps keep the round short. */
const SCHEDULER_STEP_MS_MAX = 5_000;

function pickService(random: Random, world: ChaosWorld): ServiceProcess {
  const services = world.servicesOf(random.pick(TARGETS));
  return services[random.integer(0, services.length - 1)]!;
}

const killService: FaultMaker = (random, world) => {
  const service = pickService(random, world);
  return { text: `kill ${service.label}`, begin: () => service.kill(), end: () => service.start() };
};

const killAll: FaultMaker = (random, world) => {
  const name = random.pick(['watcher', 'uploader'] as const);
  const services = world.servicesOf(name);
  return {
    text: `kill every ${name}`,
    begin: async () => void (await Promise.all(services.map((service) => service.kill()))),
    end: async () => void (await Promise.all(services.map((service) => service.start()))),
  };
};

const pauseService: FaultMaker = (random, world) => {
  const service = pickService(random, world);
  // Now and then for longer than an ownership or a task lives without a word: then there are two who believe it theirs.
  const isLong = random.fraction() < 0.15;
  return {
    text: `pause ${service.label}${isLong ? ' for long' : ''}`,
    ...(isLong ? { holdMs: 6_500 } : {}),
    begin: () => service.pause(),
    end: () => service.resume(),
  };
};

const drainService: FaultMaker = (random, world) => {
  const service = pickService(random, world);
  return {
    text: `drain ${service.label}`,
    begin: () => service.terminate(),
    end: async () => {
      await service.stop();
      await service.start();
    },
  };
};

const fillDisk: FaultMaker = (random, world) => {
  const place = random.pick(['store', 'spool'] as const);
  return {
    text: `no space left for the ${place}`,
    begin: async () => {
      for (const service of world.servicesOf('uploader')) {
        const directory = place === 'store' ? world.bucket : service.spoolDirectory;
        await service.setFaults({ ...NO_FAULTS, diskFull: [directory] });
      }
    },
    end: () => heal(world.servicesOf('uploader')),
  };
};

/** Between the moment when a write began and the one when it is durable. */
const killWriter: FaultMaker = (random, world) => {
  const writers = world.servicesOf('uploader');
  const killAfterMs = random.integer(100, 600);
  return {
    text: `kill every uploader after ${killAfterMs} ms of slow writes`,
    begin: async () => {
      for (const writer of writers) await writer.setFaults({ ...NO_FAULTS, diskDelayMs: 250 });
      await delay(killAfterMs);
      await Promise.all(writers.map((writer) => writer.kill()));
    },
    end: async () => void (await Promise.all(writers.map((writer) => writer.start()))),
  };
};

const slowDisk: FaultMaker = (random, world) => {
  const diskDelayMs = random.integer(20, 400);
  return {
    text: `a disk slower by ${diskDelayMs} ms a write`,
    begin: async () => {
      for (const service of world.servicesOf('uploader')) await service.setFaults({ ...NO_FAULTS, diskDelayMs });
    },
    end: () => heal(world.servicesOf('uploader')),
  };
};

const stepClock: FaultMaker = (random, world) => {
  const service = pickService(random, world);
  const max = service.name === 'scheduler' ? SCHEDULER_STEP_MS_MAX : CLOCK_STEP_MS_MAX;
  const clockOffsetMs = random.integer(-max, max);
  return {
    text: `step the clock of ${service.label} by ${clockOffsetMs} ms`,
    begin: () => service.setFaults({ ...NO_FAULTS, clockOffsetMs }),
    end: () => heal([service]),
  };
};

async function heal(services: readonly ServiceProcess[]): Promise<void> {
  for (const service of services) await service.setFaults(NO_FAULTS);
}

/** With weights. */
export const PROCESS_FAULTS: readonly (readonly [FaultMaker, number])[] = [
  [killService, 8],
  [killAll, 2],
  [pauseService, 4],
  [drainService, 2],
  [fillDisk, 3],
  [killWriter, 3],
  [slowDisk, 2],
  [stepClock, 2],
];
