import { join } from 'node:path';
import { BoltFile, hashKV, LocalStore, planRestore, readInventory, restore, parseInitialCluster } from '@etcd-ops/core';
import type { Daemon } from '../daemon/start-daemon.ts';
import { CaptureMeter } from './capture-meter.ts';
import type { Narrator } from './narrator.ts';
import { Operator } from './operator.ts';
import { DEMO_CLUSTER, DEMO_TOKEN, type RunningEtcd, type Stage } from './stage.ts';

/** Writes on the returned cluster: enough to pass the last captured revision, where only the overlap check can tell. */
const REVISIONS_BEYOND = 60;
const FORK_TIMEOUT_MS = 25_000;
const POLL_PAUSE_MS = 100;

export interface ForkResult {
  title: string;
  timelines: number[];
  revision: number;
  equal: boolean;
  differences: string[];
}

/**
 * The restored cluster takes the place of the lost one and has been written to: its head is past the last captured revision, its
 * ids are the same, and a watch that asked for the next revision would splice two histories without a word. The services, started
 * again and knowing only what they stored, must see the fork, leave the first timeline as it is, and begin a second one
 * from which the new head can be restored.
 */
export async function proveFork(scene: {
  stage: Stage;
  narrator: Narrator;
  /** A data directory of the moment before the mistake. */
  dataDir: string;
  /** Last revision that was captured of the lost cluster. */
  captured: number;
}): Promise<{ result: ForkResult; daemon: Daemon }> {
  const { stage, narrator, dataDir, captured } = scene;
  const before = await timelineObjects(stage, 1);
  const head = await narrator.step(
    'The cluster of the moment before is used again, past the last captured revision',
    () => writeBeyond(stage, dataDir, captured),
  );
  const returned = await narrator.step('It takes the place of the lost one', () => stage.startAtHome(dataDir));
  const daemon = await narrator.step('The services start again', () => stage.startDaemon());
  const meter = new CaptureMeter(daemon.bus, DEMO_CLUSTER);
  const timelines = await narrator.step(
    'They notice that its history is another one',
    () => secondTimeline(stage, meter, captured),
    (numbers) => (numbers.includes(2) ? 'timeline 2 begins' : 'THEY DO NOT'),
  );
  meter.stop();
  const differences: string[] = [];
  if (!timelines.includes(2)) {
    differences.push(`the fork at revision ${captured} went unnoticed: there is no second timeline`);
  }
  const after = await timelineObjects(stage, 1);
  if (before.join() !== after.join()) differences.push('objects of the first timeline were changed');
  if (differences.length === 0) {
    const operator = new Operator(daemon.bus, DEMO_CLUSTER);
    differences.push(
      ...(await narrator.step('Its newest state is restored as well', () =>
        compareHead(stage, operator, returned, head),
      )),
    );
  }
  const result = {
    title: 'the returned cluster',
    timelines,
    revision: head,
    equal: differences.length === 0,
    differences,
  };
  return { result, daemon };
}

async function writeBeyond(stage: Stage, dataDir: string, captured: number): Promise<number> {
  const running = await stage.startElsewhere(dataDir);
  try {
    let revision = 0;
    while (revision < captured + REVISIONS_BEYOND) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          running.client.kv.put({
            key: Buffer.from(`/another-history/${index}`),
            value: Buffer.from(String(revision)),
          }),
        ),
      );
      revision = Math.max(revision, ...answers.map((answer) => Number(answer.header.revision)));
    }
    return revision;
  } finally {
    await running.close();
  }
}

/** Waits until the watch goes on, in whichever timeline, and until a second one has a full. */
async function secondTimeline(stage: Stage, meter: CaptureMeter, captured: number): Promise<number[]> {
  const store = new LocalStore(stage.backups);
  const deadline = performance.now() + FORK_TIMEOUT_MS;
  for (;;) {
    const inventory = await readInventory(store, DEMO_CLUSTER);
    const whole = inventory.timelines.filter(({ fulls }) => fulls.length > 0).map(({ timeline }) => timeline);
    if (whole.includes(2) || performance.now() > deadline) return whole;
    // The stream went on behind the last captured revision without a new timeline: the histories were spliced.
    if (!meter.timelines.has(2) && meter.capturedRevision > captured) return whole;
    await new Promise((resolve) => setTimeout(resolve, POLL_PAUSE_MS));
  }
}

async function compareHead(stage: Stage, operator: Operator, returned: RunningEtcd, head: number): Promise<string[]> {
  await operator.flushDeltas(2, head);
  const store = new LocalStore(stage.backups);
  const plan = planRestore(await readInventory(store, DEMO_CLUSTER), { kind: 'latest' });
  const dataDir = join(stage.restored, 'returned');
  await restore({
    store,
    plan,
    dataDirs: [{ member: stage.home.name, dataDir }],
    initialCluster: parseInitialCluster(stage.initialCluster),
    token: DEMO_TOKEN,
  });
  const living = await returned.member.hashKV(head);
  using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
  const restored = await hashKV(file, { revision: head, compactRevision: living.compactRevision });
  return restored.hash === living.hash
    ? []
    : [`HashKV at revision ${head}: the living cluster says ${living.hash}, the restored file ${restored.hash}`];
}

async function timelineObjects(stage: Stage, timeline: number): Promise<string[]> {
  const inventory = await readInventory(new LocalStore(stage.backups), DEMO_CLUSTER);
  const found = inventory.timelines.find((candidate) => candidate.timeline === timeline);
  return [...(found?.fulls ?? []), ...(found?.deltas ?? [])].map(({ key, bytes }) => `${key}:${bytes}`);
}
