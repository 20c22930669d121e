import { etcdVersions, findBinary, missingBinary, NATS_VERSIONS } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runStorm } from './storm.ts';
import { chaosSeed } from './world/chaos-env.ts';

/** The long form is `bin/chaos --rounds 1000`. */
const ROUNDS = 11;
const TIMEOUT_MS = 600_000;
/** New storms are looked for by the long form; here, a change is what makes a difference. */
const seed = chaosSeed(20_261_120);

test.for([
  { etcd: etcdVersions().at(0), etcdMembers: 1, nats: NATS_VERSIONS[0], seed },
  { etcd: etcdVersions().at(-1), etcdMembers: 3, nats: NATS_VERSIONS[1], seed: seed + 1 },
] as const)(
  `${ROUNDS} rounds over $etcdMembers etcd $etcd and a nats-server $nats lose nothing (ETCD_OPS_TEST_SEED=${seed})`,
  { timeout: TIMEOUT_MS },
  async ({ etcd, etcdMembers, nats, seed: stormSeed }, context) => {
    if (etcd === undefined) return context.skip(missingBinary('etcd'));
    if (findBinary('nats-server', nats) === undefined) return context.skip(missingBinary('nats-server', nats));
    const world = { etcdVersion: etcd, etcdMembers, natsVersion: nats };
    const report = await runStorm({ seed: stormSeed, rounds: ROUNDS, world });
    expect(report.rounds).toHaveLength(ROUNDS);
    // It has tried what it is for: rows were compared, revisions came in parts, and more than one writer wrote.
    expect(report.rounds.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThan(1_000);
    expect(report.splitEvents).toBeGreaterThan(0);
    expect(report.writers).toBeGreaterThan(1);
  },
);
