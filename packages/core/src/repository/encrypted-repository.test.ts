import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { blockOf, sampleRows } from '../delta/delta-samples.ts';
import { DeltaEncoder } from '../delta/delta-encoder.ts';
import { encryptBuffer } from '../encryption/age-buffer.ts';
import { sampleIdentities, sampleRecipients } from '../encryption/encryption-samples.ts';
import { digestFits } from '../encryption/sealed-digest.ts';
import { LocalStore } from '../storage/local-store.ts';
import { canOpenNewest } from './can-open-newest.ts';
import { openStoredDelta, readDeltaEnd } from './delta-source.ts';
import { encodeManifest } from './full-manifest.ts';
import { readInventory } from './inventory.ts';
import { deltaKey, fullKey, manifestKey } from './object-key.ts';
import { putDelta, type FinishedDelta } from './put-delta.ts';
import { repositoryHead } from './repository-head.ts';
import { minute, SAMPLE_CLUSTER as cluster, SAMPLE_CLUSTER_ID, sampleManifest } from './repository-samples.ts';
import { planRestoreFrom } from './resolve-time.ts';

const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-encrypted-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let count = 0;

function newStore(): LocalStore {
  return new LocalStore(join(directory, String(count++)));
}

async function putFull(store: LocalStore, revision: number, key: number): Promise<string> {
  const recipients = await sampleRecipients(key);
  const stored = Buffer.from(await encryptBuffer(Buffer.from('a database'), recipients));
  const name = fullKey({
    cluster,
    timeline: 1,
    revision,
    createdAtMs: minute(revision),
    codec: 'none',
    encryption: 'age',
  });
  const encryption = { format: 'age' as const, recipients: [...recipients.fingerprints] };
  await store.put(name, stored);
  await store.put(manifestKey(name), encodeManifest({ ...sampleManifest({ revision }, stored), encryption }));
  return name;
}

function deltaOf(first: number, last: number): FinishedDelta {
  const clusterId = BigInt(`0x${SAMPLE_CLUSTER_ID}`);
  const encoder = new DeltaEncoder({ clusterId, timeline: 1, epoch: 'ab'.repeat(16), codec: 'zstd' });
  encoder.addRows(blockOf(sampleRows(first, last)));
  for (let revision = first; revision <= last; revision++) encoder.addTime(revision, minute(revision));
  return encoder.finish();
}

async function putDeltaOf(store: LocalStore, first: number, last: number, key: number) {
  const delta = deltaOf(first, last);
  const name = deltaKey({ cluster, timeline: 1, first, last, lastObservedMs: minute(last), encryption: 'age' });
  await putDelta(store, name, delta, { recipients: await sampleRecipients(key) });
  return { name, delta };
}

test('where it ends is known without a key, and what its rows are can be compared', async () => {
  const store = newStore();
  await putFull(store, 10, 0);
  const { name, delta } = await putDeltaOf(store, 11, 20, 0);
  const inventory = await readInventory(store, cluster);
  expect(inventory).toMatchObject({ foreign: [], incomplete: [], damaged: [] });
  const [entry] = inventory.timelines[0]!.deltas;
  expect(entry).toMatchObject({ key: name, first: 11, last: 20, encryption: 'age' });
  const head = (await repositoryHead(store, cluster))!;
  expect(head).toMatchObject({ timeline: 1, revision: 20, clusterId: BigInt(`0x${SAMPLE_CLUSTER_ID}`) });
  expect(head.digest).not.toBe(delta.facts.lastRevisionDigest);
  expect(digestFits(head.digest!, delta.facts.lastRevisionDigest)).toBe(true);
  expect(digestFits(head.digest!, 'ab'.repeat(32))).toBe(false);
  expect((await readDeltaEnd(store, entry!)).recipients).toEqual((await sampleRecipients(0)).fingerprints);
  await expect(openStoredDelta(store, entry!)).rejects.toMatchObject({ code: 'IDENTITY_MISSING' });
  const reader = await openStoredDelta(store, entry!, { identities: await sampleIdentities(0) });
  expect(reader.facts).toEqual(delta.facts);
  expect(await reader.times()).toHaveLength(10);
});

test('damaged clear facts end the chain before it, as a damaged footer does', async () => {
  const store = newStore();
  await putFull(store, 10, 0);
  await putDeltaOf(store, 11, 20, 0);
  const { name } = await putDeltaOf(store, 21, 30, 0);
  const stored = await store.get(name);
  stored[400]! ^= 1;
  await store.delete([name]);
  await store.put(name, stored);
  expect(await repositoryHead(store, cluster)).toMatchObject({ revision: 20 });
});

test('a full whose manifest does not know that it is encrypted is that of another', async () => {
  const store = newStore();
  const name = await putFull(store, 10, 0);
  const stored = Buffer.from(await store.get(name));
  await store.delete([manifestKey(name)]);
  await store.put(manifestKey(name), encodeManifest(sampleManifest({ revision: 10 }, stored)));
  const { timelines, damaged } = await readInventory(store, cluster);
  expect(timelines.flatMap(({ fulls }) => fulls)).toEqual([]);
  expect(damaged).toEqual([{ key: manifestKey(name), reason: expect.stringContaining('another full') }]);
});

test('a time is resolved without a key as far as names tell, with a word, and finely with it', async () => {
  const store = newStore();
  await putFull(store, 10, 0);
  await putDeltaOf(store, 11, 20, 0);
  const inventory = await readInventory(store, cluster);
  const target = { kind: 'time', timeMs: minute(15) } as const;
  const coarse = await planRestoreFrom(store, inventory, target);
  expect(coarse.revision).toBe(10);
  expect(coarse.warnings.join(' ')).toMatch(/are encrypted: with --identity-file/);
  const fine = await planRestoreFrom(store, inventory, target, { identities: await sampleIdentities(0) });
  expect(fine.revision).toBe(15);
});

test('whether the key at hand opens the newest backup is told by headers alone', async () => {
  const store = newStore();
  const full = await putFull(store, 10, 0);
  expect(await canOpenNewest(store, cluster, await sampleIdentities(0))).toEqual({
    opens: true,
    full,
    encrypted: true,
    recipients: (await sampleRecipients(0)).fingerprints,
  });
  const { name } = await putDeltaOf(store, 11, 20, 1);
  expect(await canOpenNewest(store, cluster, await sampleIdentities(0))).toMatchObject({
    opens: false,
    newestDelta: name,
    reason: expect.stringContaining((await sampleRecipients(1)).fingerprints[0]!),
  });
  expect(await canOpenNewest(store, cluster, undefined)).toMatchObject({ opens: false });
  expect(await canOpenNewest(store, cluster, await sampleIdentities(0, 1))).toMatchObject({ opens: true });
});
