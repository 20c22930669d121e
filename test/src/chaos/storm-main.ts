import { etcdVersions, Random } from '@etcd-ops/test-kit';
import { parseArgs } from 'node:util';
import { chaosSeed } from './world/chaos-env.ts';
import { runStorm, type RoundReport } from './storm.ts';
import type { WorldOptions } from './world/chaos-world.ts';

/**
 * The long form: `bin/chaos --rounds 1000 --seed 7`. A new world every so many rounds, each with versions, members and replicas
 * of its own from the seed; `--world` begins with that one, to repeat it.
 */
const ROUNDS_PER_WORLD = 20;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    world: { type: 'string', default: '1' },
    etcd: { type: 'string' },
    nats: { type: 'string' },
    members: { type: 'string' },
    replicas: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seed = values.seed === undefined ? chaosSeed() : Number(values.seed);

function worldOf(random: Random): WorldOptions {
  const drawn = {
    etcdVersion: random.pick(etcdVersions()),
    etcdMembers: random.pick(['1', '3']),
    natsVersion: random.pick(['2.9', '2.10']),
    natsServers: random.pick(['1', '1', '3']),
  };
  return {
    etcdVersion: values.etcd ?? drawn.etcdVersion,
    natsVersion: values.nats ?? drawn.natsVersion,
    etcdMembers: (values.members ?? drawn.etcdMembers) === '3' ? 3 : 1,
    natsServers: (values.replicas ?? drawn.natsServers) === '3' ? 3 : 1,
    replicas: { scheduler: random.pick([1, 2]) },
  };
}

function tell({ round, faults, ...facts }: RoundReport): void {
  const numbers = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`  round ${round}: ${numbers.join(', ')}: ${faults.join('; ')}\n`);
}

let done = 0;
for (let index = Number(values.world); done < rounds; index++) {
  const worldSeed = seed * 1_000 + index;
  const world = worldOf(new Random(worldSeed));
  process.stdout.write(`seed ${seed}, world ${index}: ${JSON.stringify(world)}\n`);
  const report = await runStorm({
    seed: worldSeed,
    rounds: Math.min(ROUNDS_PER_WORLD, rounds - done),
    world,
    onRound: tell,
  });
  done += report.rounds.length;
  const { writers, splitEvents, tickedFulls, rssBytesMax } = report;
  process.stdout.write(`  ${JSON.stringify({ done, writers, splitEvents, tickedFulls, rssBytesMax })}\n`);
}
process.stdout.write(`${done} rounds of seed ${seed} held\n`);
