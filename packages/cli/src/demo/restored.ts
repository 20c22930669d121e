import { join } from 'node:path';
import { formatDuration } from '../output/table.ts';
import { compareStates, readLivingState, type Comparison, type LivingState } from './living-state.ts';
import type { Narrator } from './narrator.ts';
import type { Operator } from './operator.ts';
import { DEMO_TOKEN, type RunningEtcd, type Stage } from './stage.ts';

export interface RestoreResult {
  title: string;
  revision: number;
  restoreMs: number;
  keys: number;
  leases: number;
  endedLeases: number;
  hash: number;
  equal: boolean;
  differences: string[];
  dataDir: string;
}

/** Restores over NATS, boots a real etcd from the result and holds it against what the living cluster had said. */
export async function restoreAndCompare(scene: {
  stage: Stage;
  narrator: Narrator;
  operator: Operator;
  title: string;
  name: string;
  living: LivingState;
  /** Without it, the newest state is asked for. */
  revision?: number;
}): Promise<RestoreResult> {
  const { stage, narrator, operator, living, title } = scene;
  const dataDir = join(stage.restored, scene.name);
  const begunAtMs = performance.now();
  await narrator.step(`Restore ${title}`, () =>
    operator.restore({
      dataDir,
      initialCluster: stage.initialCluster,
      token: DEMO_TOKEN,
      ...(scene.revision === undefined ? {} : { revision: scene.revision }),
    }),
  );
  const restoreMs = Math.round(performance.now() - begunAtMs);
  const { restored, comparison } = await narrator.step('A real etcd boots from it and is asked the same', async () => {
    const running = await stage.startElsewhere(dataDir);
    try {
      return await askTheSame(running, living);
    } finally {
      await running.close();
    }
  });
  const { equal, differences, endedLeases } = comparison;
  narrator.line(
    `    ${equal ? 'equal' : 'NOT EQUAL'}: revision ${restored.revision}, ${restored.keys.size} keys, ${restored.leases.size} leases, HashKV ${restored.hash}, ready in ${formatDuration(restoreMs)}`,
  );
  return {
    title,
    revision: restored.revision,
    restoreMs,
    keys: restored.keys.size,
    leases: restored.leases.size,
    endedLeases,
    hash: restored.hash,
    equal,
    differences,
    dataDir,
  };
}

async function askTheSame(
  { client, member }: RunningEtcd,
  living: LivingState,
): Promise<{ restored: LivingState; comparison: Comparison }> {
  const { revision } = await member.linearizableRead();
  if (revision < living.revision) {
    const restored = { revision, compactRevision: -1, hash: 0, keys: new Map(), leases: new Map() };
    return {
      restored,
      comparison: {
        equal: false,
        differences: [`revision: the living cluster said ${living.revision}, the restored one says ${revision}`],
        endedLeases: 0,
      },
    };
  }
  // The living cluster may have been compacted after the full that the restore began with. HashKV covers what a compaction
  // leaves, so the restored one is compacted at the same revision before the two are compared.
  const { compactRevision } = await member.hashKV(living.revision);
  if (compactRevision < living.compactRevision) await member.compact(living.compactRevision);
  const restored = await readLivingState(client, member, living.revision);
  return { restored, comparison: compareStates(living, restored) };
}
