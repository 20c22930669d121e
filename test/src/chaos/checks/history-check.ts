import { HISTORY_STREAM, taskResultSchema, type TaskResult } from '@etcd-ops/bus';
import { readInventory } from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import type { ChaosWorld } from '../world/chaos-world.ts';

/** Reads what tasks have done, as far as it was recorded, behind the given sequence. */
export async function readHistory(world: ChaosWorld, after: number): Promise<{ results: TaskResult[]; last: number }> {
  const { state } = await (await world.bus.jsm()).streams.info(HISTORY_STREAM);
  const results: TaskResult[] = [];
  if (state.last_seq <= after || state.messages === 0) return { results, last: Math.max(after, state.last_seq) };
  const consumer = await world.bus.js.consumers.get(HISTORY_STREAM, { opt_start_seq: after + 1 });
  const messages = await consumer.fetch({ max_messages: state.last_seq - after, expires: 2_000 });
  for await (const message of messages) {
    const parsed = taskResultSchema.safeParse(message.json());
    if (parsed.success) results.push(parsed.data);
    if (message.seq >= state.last_seq) break;
  }
  return { results, last: state.last_seq };
}

/** One tick, one full: in what was recorded, and in what lies in the repository. */
export class TickCheck {
  readonly #world: ChaosWorld;
  readonly #done = new Map<string, TaskResult>();
  #after = 0;
  fulls = 0;

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  /** A server that lost its tail gives sequences out again. */
  restart(): void {
    this.#after = 0;
  }

  async check(): Promise<void> {
    // A new consumer's leader may not have been elected when the first messages are asked for.
    const read = () => readHistory(this.#world, this.#after);
    const { results, last } = await eventually(read, { timeoutMs: 30_000 });
    this.#after = last;
    for (const result of results) {
      if (result.kind !== 'full' || !result.ok || result.tick === undefined) continue;
      const id = `${result.cluster} ${result.tick}`;
      const before = this.#done.get(id);
      const isOther = before !== undefined && before.summary['key'] !== result.summary['key'];
      if (isOther) throw new Error(`Two fulls for the tick ${id}: ${key(before)} and ${key(result)}`);
      this.#done.set(id, result);
      this.fulls++;
    }
    await this.#checkRepository();
  }

  async #checkRepository(): Promise<void> {
    for (const cluster of this.#world.clusters) {
      const byTask = new Map<string, string>();
      for (const { fulls } of (await readInventory(this.#world.store, cluster)).timelines) {
        for (const full of fulls) {
          const { taskId } = full.manifest as { taskId?: string };
          if (taskId === undefined) continue;
          const other = byTask.get(taskId);
          if (other !== undefined) throw new Error(`Two fulls for the task ${taskId}: ${other} and ${full.key}`);
          byTask.set(taskId, full.key);
        }
      }
    }
  }
}

function key(result: TaskResult): string {
  return String(result.summary['key']);
}
