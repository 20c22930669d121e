import { clusterSpecSchema, connectBus, ensureTopology, positionKey, positions } from '@etcd-ops/bus';
import { BoltFile, digestOfRevision, hashKV, listWitnesses, LocalStore, readWitness } from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, systemClock } from '@etcd-ops/service-kit';
import { etcdVersions, findBinary, missingBinary, startEtcd, startNats, tempDir } from '@etcd-ops/test-kit';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { compactRevisionOf } from './compact-revision.ts';
import { createWitnessMetrics, runWitnessTask, type WitnessTaskOptions } from './witness-task.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const versions = ['3.4', '3.5'].filter((version) => etcdVersions().some((found) => found.startsWith(version)));

describe.each(versions)('etcd %s', (version) => {
  it('says where it is compacted, whatever is known', async () => {
    await using etcd = await startEtcd({ version });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const member = cluster.members()[0]!;
    for (let write = 0; write < 20; write++) await etcd.etcdctl('put', 'k', String(write));
    expect(await compactRevisionOf(member, -1, {})).toBe(-1);
    await member.compact(10, { physical: true });
    for (const known of [-1, 3, 10]) expect(await compactRevisionOf(member, known, {})).toBe(10);
    await member.compact(15, { physical: true });
    for (const known of [-1, 10, 15]) expect(await compactRevisionOf(member, known, {})).toBe(15);
  });

  it('gives a witness after a compaction where it keeps one, and it is what the rows hash to', async ({ skip }) => {
    skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
    await using etcd = await startEtcd({ version });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    await using dir = tempDir();
    await using nats = await startNats();
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    const store = new LocalStore(dir.file('bucket'));
    const bucket = { provider: 'Local', bucket: dir.file('bucket') };
    const spec = clusterSpecSchema.parse({ version: 1, name: 'prod', endpoints: etcd.endpoints, store: bucket });
    const options: WitnessTaskOptions = {
      ...{ spec, bus, store, etcd: cluster, logger, metrics: createWitnessMetrics(createMetrics('test')) },
      // A compaction of these few rows ends at once.
      clock: { now: () => systemClock.now(), sleep: async () => undefined },
      signal: new AbortController().signal,
    };
    const member = cluster.members()[0]!;
    for (let write = 0; write < 40; write++) await etcd.etcdctl('put', `k${write % 7}`, String(write));
    expect(await runWitnessTask(options)).toMatchObject({ changed: false });
    const snapshot = dir.file('before.db');
    const blobs: Buffer[] = [];
    for await (const blob of member.snapshot()) blobs.push(blob);
    await writeFile(snapshot, Buffer.concat(blobs));
    using file = BoltFile.open(snapshot);
    const captured = { revision: 40, digest: digestOfRevision(file, 40)!.digest };
    const putPosition = async (point: { revision: number; digest: string | null }): Promise<void> => {
      const position = { version: 1 as const, timeline: 1, ...point, sequence: 1 };
      await positions(bus).put(positionKey('prod'), { ...position, updatedAt: new Date().toISOString() });
    };
    await putPosition(captured);
    // Nothing was compacted, and a lone member is not asked to read its rows.
    expect(await runWitnessTask(options)).toMatchObject({ changed: false });

    await member.compact(30, { physical: true });
    // Restored behind our back, the cluster holds other rows, or is not that far yet: its hashes are of another timeline.
    const others = [
      { ...captured, digest: digestOfRevision(file, 39)!.digest },
      { revision: 99, digest: captured.digest },
      { ...captured, digest: null },
      // Compacted: nothing can be compared.
      { revision: 20, digest: digestOfRevision(file, 20)!.digest },
    ];
    for (const point of others) {
      await putPosition(point);
      expect(await runWitnessTask(options)).toMatchObject({ changed: false });
      expect(await listWitnesses(store, 'prod')).toEqual([]);
    }
    await putPosition(captured);
    const done = await runWitnessTask(options);
    const entries = await listWitnesses(store, 'prod');
    if (version === '3.4') return expect(entries).toEqual([]);
    expect(done).toMatchObject({ changed: true, summary: { kind: 'free' } });
    const witness = await readWitness(store, entries[0]!.key, []);
    expect(witness).toMatchObject({ revision: 30, compactRevision: -1, source: 'compaction' });
    expect((await hashKV(file, { revision: 30, compactRevision: -1 })).hash).toBe(witness!.hash);
    // Once for each compaction.
    expect(await runWitnessTask(options)).toMatchObject({ changed: false });
    await member.compact(35, { physical: true });
    await runWitnessTask(options);
    expect((await listWitnesses(store, 'prod')).map(({ revision }) => revision)).toEqual([30, 35]);
    expect((await hashKV(file, { revision: 35, compactRevision: 30 })).hash).toBe(
      (await readWitness(store, (await listWitnesses(store, 'prod'))[1]!.key, []))!.hash,
    );
  });
});
