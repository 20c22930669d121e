import { eventually, findBinary, missingBinary, NATS_VERSIONS } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { deadSubject, DEAD_STREAM, doneSubject, HISTORY_STREAM } from '../names.ts';
import { connectAs, refusalsOf, startTwoAccounts } from '../testing/two-accounts.ts';
import { ensureTopology } from '../topology.ts';

describe.each(NATS_VERSIONS)('two accounts on nats-server %s', (version) => {
  test('how restores end is kept in both, and what CORE says of them stays there', async (context) => {
    if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
    await using server = await startTwoAccounts(version);
    await using core = await connectAs(server, 'operator');
    await using ops = await connectAs(server, 'operator-ops');
    await ensureTopology(core, { part: 'core' });
    await ensureTopology(ops, { part: 'ops' });
    const lines = async (bus: typeof core, stream: string): Promise<number> =>
      (await (await bus.jsm()).streams.info(stream)).state.messages;

    await using restorer = await connectAs(server, 'restorer-ops');
    const refusals = refusalsOf(restorer);
    const ids = { msgID: 'once' };
    await restorer.js.publish(doneSubject('restore', 'prod'), 'done', ids);
    await restorer.js.publish(doneSubject('restore', 'prod'), 'done', ids);
    await restorer.js.publish(deadSubject('restore', 'prod'), 'dead');
    for (const bus of [core, ops]) {
      await eventually(async () => (await lines(bus, HISTORY_STREAM)) === 1, { timeoutMs: 20_000 });
      await eventually(async () => (await lines(bus, DEAD_STREAM)) === 1, { timeoutMs: 20_000 });
    }
    expect(refusals).toEqual([]);

    // No service of CORE may write one; not even who manages its streams makes one in OPS.
    await using uploader = await connectAs(server, 'uploader');
    await expect(uploader.js.publish(doneSubject('restore', 'prod'), 'forged')).rejects.toThrow(
      /permissions violation/i,
    );
    await using scheduler = await connectAs(server, 'scheduler');
    await expect(scheduler.js.publish(doneSubject('restore', 'prod'), 'forged')).rejects.toThrow(
      /permissions violation/i,
    );
    expect(await lines(core, HISTORY_STREAM)).toBe(1);
    expect(await lines(ops, HISTORY_STREAM)).toBe(1);
  });
});
