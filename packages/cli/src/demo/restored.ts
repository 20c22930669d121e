import { join } from 'node:path';
import { formatDuration } from '../output/table.ts';
import { compareStates, readLivingState, type LivingState } from './living-state.ts';
import type { Narrator } from './narrator.ts';
import type { Operator } from './operator.ts';
import { DEMO_TOKEN, type Stage } from './stage.ts';

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
  const restored = await narrator.step('A real etcd boots from it and is asked the same', async () => {
    const running = await stage.startElsewhere(dataDir);
    try {
      // The living cluster may have been compacted after the full that the restore began with. HashKV covers what a compaction
      // leaves, so the restored one is compacted at the same revision before the two are compared.
      if (living.compactRevision > 0) await compactLike(running, living);
      return await readLivingState(running.client, running.member, living.revision);
    } finally {
      await running.close();
    }
  });
  const { equal, differences, endedLeases } = compareStates(living, restored);
  narrator.line(`    ${equal ? 'equal' : 'NOT EQUAL'}: revision ${restored.revision}, ${restored.keys.size} keys, ${restored.leases.size} leases, HashKV ${restored.hash}, ready in ${formatDuration(restoreMs)}`);
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

async function compactLike({ member }: { member: { hashKV(revision: number): Promise<{ compactRevision: number }>; compact(revision: number): Promise<unknown> } }, living: LivingState): Promise<void> {
  const { compactRevision } = await member.hashKV(living.revision);
  if (compactRevision < living.compactRevision) await member.compact(living.compactRevision);
}
