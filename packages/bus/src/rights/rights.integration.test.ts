import { eventually, findBinary, missingBinary, NATS_VERSIONS, type TestNats } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bus } from '../connection.ts';
import { connectAs, refusalsOf, startTwoAccounts } from '../testing/two-accounts.ts';
import { ensureEventStream, ensureTopology } from '../topology.ts';
import { ROLES } from './roles.ts';

const OPERATORS = ['operator', 'operator-ops'];

/** Who may do what, one line an act: everybody not named is refused. `pub` and `sub` and a subject. */
const ACTS: Readonly<Record<string, readonly string[]>> = {
  // Events
  'pub etcdops.events.prod': ['watcher'],
  'pub $JS.API.STREAM.PURGE.ETCDOPS_EVENTS_prod': ['uploader', ...OPERATORS],
  'pub $JS.API.DIRECT.GET.ETCDOPS_EVENTS_prod': ['watcher', 'uploader', ...OPERATORS],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_EVENTS_prod.x.etcdops.events.prod': ['watcher', 'uploader', ...OPERATORS],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_EVENTS_prod.x': OPERATORS,
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_EVENTS_prod': OPERATORS,
  'pub $JS.API.CONSUMER.DURABLE.CREATE.ETCDOPS_EVENTS_prod.x': OPERATORS,
  'sub etcdops.events.prod': [],

  // Tasks
  'pub etcdops.task.full.any.prod': ['scheduler', 'watcher', 'restorer'],
  'pub etcdops.task.delta.any.prod': ['scheduler', 'watcher', 'restorer'],
  'pub etcdops.task.gc.any.prod': ['scheduler'],
  'pub etcdops.task.defrag.any.prod': ['scheduler'],
  'pub etcdops.task.merge.any.prod': ['scheduler'],
  'pub etcdops.task.verify.any.prod.x': ['scheduler', 'restorer'],
  'pub etcdops.task.witness.any.prod': ['scheduler'],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.merge': ['restorer', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.witness': ['maintainer', 'restorer-ops', ...OPERATORS],
  'pub etcdops.task.copy.any.prod.x': ['scheduler'],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.copy': ['garbage-collector', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.full': ['uploader', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.gc': ['garbage-collector', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.defrag': ['maintainer', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.DELETE.ETCDOPS_TASKS.full': ['uploader', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.DELETE.ETCDOPS_TASKS.gc': ['garbage-collector', 'restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_TASKS.gc.etcdops.task.gc.any.>': ['garbage-collector', ...OPERATORS],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_TASKS.gc.etcdops.task.>': OPERATORS,
  'pub $JS.ACK.ETCDOPS_HISTORY.notify.1.1.1.1.0': ['scheduler'],
  'pub $JS.ACK.ETCDOPS_DEAD.notify.1.1.1.1.0': ['scheduler'],
  'pub $JS.ACK.ETCDOPS_TASKS.full.1.1.1.1.0': ['uploader', 'restorer-ops'],
  'pub $JS.ACK.ETCDOPS_TASKS.gc.1.1.1.1.0': ['garbage-collector', 'restorer-ops'],

  // Restores: in CORE nobody may even try, and there would be nobody to hear it.
  'pub etcdops.task.restore.any.prod.x': ['restorer-ops'],
  'pub etcdops.task.restore.host-7.prod.x': ['restorer-ops'],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_TASKS.restore': ['restorer-ops', ...OPERATORS],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_TASKS.restore_host-7.etcdops.task.restore.host-7.>': [
    'restorer-ops',
    ...OPERATORS,
  ],
  'pub etcdops.restore': ['operator-ops'],
  'pub etcdops.snapshot': ['operator-ops'],
  'pub etcdops.verify': ['operator-ops'],
  'pub etcdops.list': ['operator-ops', 'observer-ops'],
  'pub etcdops.plan': ['operator-ops', 'observer-ops'],
  'pub etcdops.status': ['operator-ops', 'observer-ops'],
  'pub etcdops.job': ['operator-ops', 'observer-ops'],
  'pub $SRV.INFO': ['operator-ops', 'observer-ops'],
  'sub etcdops.restore': ['restorer-ops'],
  'sub $SRV.INFO': ['restorer-ops'],

  // Buckets
  'pub $KV.etcdops_clusters.prod': ['operator'],
  'pub $KV.etcdops_owners.prod': ['watcher'],
  'pub $KV.etcdops_state.position.prod': ['uploader'],
  'pub $KV.etcdops_state.last.full.prod': ['uploader'],
  'pub $KV.etcdops_state.last.gc.prod': ['garbage-collector'],
  'pub $KV.etcdops_state.last.defrag.prod': ['maintainer'],
  'pub $KV.etcdops_state.last.restore.prod': ['restorer-ops'],
  'pub $KV.etcdops_state.attempt.restore.prod.x': ['restorer-ops'],
  'pub $KV.etcdops_jobs.x': ['restorer-ops'],

  // Records and progress
  'pub etcdops.done.full.prod': ['uploader'],
  'pub etcdops.done.gc.prod': ['garbage-collector'],
  'pub etcdops.done.defrag.prod': ['maintainer'],
  'pub etcdops.done.verify.prod': ['restorer'],
  'pub etcdops.done.restore.prod': ['restorer-ops'],
  'pub etcdops.dead.full.prod': ['uploader'],
  'pub etcdops.dead.restore.prod': ['restorer-ops'],
  'pub etcdops.progress.full.prod.x': ['uploader'],
  'pub etcdops.progress.restore.prod.x': ['restorer-ops'],
  'sub etcdops.progress.>': ['operator', 'observer', 'restorer-ops', 'operator-ops', 'observer-ops'],
  'sub etcdops.done.>': ['operator', 'observer', 'operator-ops', 'observer-ops'],
  'pub $JS.API.CONSUMER.MSG.NEXT.ETCDOPS_HISTORY.x': [
    'scheduler',
    'restorer',
    'observer',
    'restorer-ops',
    'observer-ops',
    ...OPERATORS,
  ],
  'pub $JS.API.CONSUMER.CREATE.ETCDOPS_HISTORY.x.etcdops.events.prod': OPERATORS,

  // Streams belong to the operator.
  'pub $JS.API.STREAM.CREATE.MIRROR': OPERATORS,
  'pub $JS.API.STREAM.UPDATE.ETCDOPS_HISTORY': OPERATORS,
  'pub $JS.API.STREAM.PURGE.ETCDOPS_TASKS': OPERATORS,
  'pub $JS.API.STREAM.PURGE.ETCDOPS_HISTORY': OPERATORS,
  'pub $JS.API.STREAM.PURGE.KV_etcdops_state': OPERATORS,
  'pub $JS.API.STREAM.PURGE.KV_etcdops_clusters': OPERATORS,
  'pub $JS.API.STREAM.MSG.DELETE.ETCDOPS_HISTORY': OPERATORS,
  'pub $JS.API.STREAM.DELETE.ETCDOPS_EVENTS_other': OPERATORS,
  'pub $JS.API.STREAM.SNAPSHOT.KV_etcdops_clusters': OPERATORS,
  'pub $JS.API.CONSUMER.LIST.ETCDOPS_TASKS': OPERATORS,

  // Answers for others, and everything
  'sub _INBOX.x': OPERATORS,
  'sub _INBOX_uploader.x': ['uploader'],
  'sub _INBOX_restorer-ops.x': ['restorer-ops'],
  'sub >': [],
  'sub $JS.>': [],
  'sub $SYS.>': [],
  'pub $SYS.REQ.SERVER.PING': [],
};

describe.each(NATS_VERSIONS)('nats-server %s: rights', (version) => {
  let server: TestNats | undefined;
  let reason: string | undefined;

  beforeAll(async () => {
    if (findBinary('nats-server', version) === undefined) {
      reason = missingBinary('nats-server', version);
      return;
    }
    server = await startTwoAccounts(version);
    await using core = await connectAs(server, 'operator');
    await using ops = await connectAs(server, 'operator-ops');
    await ensureTopology(core, { part: 'core' });
    await ensureEventStream(core, 'prod', { bytesMax: 1024 * 1024 });
    await ensureTopology(ops, { part: 'ops' });
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  // Those who may change streams come last.
  const roles = ROLES.map(({ name }) => name).toSorted((left, right) => rank(left) - rank(right));

  test.for(roles)('%s may do what is listed, and nothing else', async (role, context) => {
    if (server === undefined) return context.skip(reason);
    await using bus = await connectAs(server, role);
    const refused = refusalsOf(bus);
    for (const act of Object.keys(ACTS)) attempt(bus, act);
    // The server answers in order: this refusal closes the list.
    bus.nc.publish('nobody.may');
    await eventually(() => refused.includes('publish nobody.may'));
    const expected = Object.entries(ACTS).filter(([, allowed]) => !allowed.includes(role));
    expect(new Set(refused)).toEqual(new Set([...expected.map(([act]) => asRefusal(act)), 'publish nobody.may']));
  });

  test('every role of the acts exists', () => {
    const known = new Set(roles);
    expect(Object.values(ACTS).flatMap((allowed) => allowed.filter((role) => !known.has(role)))).toEqual([]);
  });
});

function rank(role: string): number {
  return OPERATORS.includes(role) ? 1 : 0;
}

function attempt(bus: Bus, act: string): void {
  const [kind, subject] = act.split(' ') as [string, string];
  if (kind === 'pub') {
    bus.nc.publish(subject, '', { reply: bus.createInbox() });
  } else {
    // A refusal rejects `closed` as well, which nobody here waits for.
    bus.nc.subscribe(subject, { callback: () => {} }).closed.catch(() => {});
  }
}

function asRefusal(act: string): string {
  return act.replace(/^pub/, 'publish').replace(/^sub/, 'subscription');
}
