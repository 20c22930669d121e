import {
  callApi,
  doneSubject,
  positionKey,
  positions,
  restoreAnswerSchema,
  snapshotAnswerSchema,
  taskResultSchema,
  type Bus,
  type SnapshotAnswer,
  type TaskKind,
  type TaskResult,
} from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';

const TASK_TIMEOUT_MS = 45_000;
const POLL_PAUSE_MS = 100;

/** What a person does with the NATS command line: asks, gets an id, and waits for its result on the audit trail. */
export class Operator {
  readonly #bus: Bus;
  readonly #cluster: string;

  constructor(bus: Bus, cluster: string) {
    this.#bus = bus;
    this.#cluster = cluster;
  }

  /** `nats req etcdops.snapshot '{"kind":"full"}'`. */
  async takeFull(): Promise<TaskResult> {
    return await this.#follow('full', async () => {
      for (;;) {
        const answer = await this.#requestSnapshot('full');
        if (answer.outcome === 'accepted') return answer.id;
        // A scheduled one is at work; ours must come after it, since it may have begun before our writes.
        await pause();
      }
    });
  }

  /** `nats req etcdops.snapshot '{"kind":"delta"}'`, until everything up to `revision` of the timeline is in deltas. */
  async flushDeltas(timeline: number, revision: number): Promise<void> {
    const deadline = performance.now() + TASK_TIMEOUT_MS;
    for (;;) {
      const position = (await positions(this.#bus).get(positionKey(this.#cluster)))?.value;
      if (position !== undefined && position.timeline >= timeline && position.revision >= revision) return;
      if (performance.now() > deadline) {
        throw new EtcdOpsError('BUS_FAILED', {
          message: `Revision ${revision} was not in a delta within ${TASK_TIMEOUT_MS} ms`,
        });
      }
      await this.#requestSnapshot('delta');
      await pause();
    }
  }

  /** `nats req etcdops.restore`. */
  async restore(request: {
    revision?: number;
    dataDir: string;
    initialCluster: string;
    token: string;
    timeline?: number;
  }): Promise<TaskResult> {
    return await this.#follow('restore', async () => {
      return (
        await callApi(this.#bus, 'restore', { cluster: this.#cluster, ...request }, { answer: restoreAnswerSchema })
      ).id;
    });
  }

  async #follow(kind: TaskKind, ask: () => Promise<string>): Promise<TaskResult> {
    const results: TaskResult[] = [];
    let wake = (): void => {};
    // Subscribed before asking: a quick task may be done before its id is known here.
    const subscription = this.#bus.nc.subscribe(doneSubject(kind, this.#cluster), {
      callback: (_, message) => {
        results.push(taskResultSchema.parse(message.json()));
        wake();
      },
    });
    try {
      const id = await ask();
      const deadline = performance.now() + TASK_TIMEOUT_MS;
      for (;;) {
        const result = results.find((candidate) => candidate.taskId === id);
        if (result !== undefined) return assertDone(result);
        const left = deadline - performance.now();
        if (left <= 0) {
          throw new EtcdOpsError('BUS_FAILED', {
            message: `The ${kind} task ${id} was not done within ${TASK_TIMEOUT_MS} ms`,
          });
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    } finally {
      subscription.unsubscribe();
    }
  }

  async #requestSnapshot(kind: 'full' | 'delta'): Promise<SnapshotAnswer> {
    return await callApi(this.#bus, 'snapshot', { cluster: this.#cluster, kind }, { answer: snapshotAnswerSchema });
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_PAUSE_MS));
}

function assertDone(result: TaskResult): TaskResult {
  if (result.ok) return result;
  const { code, message } = result.failure ?? { code: 'unknown', message: 'no cause was recorded' };
  throw new EtcdOpsError('BUS_FAILED', {
    message: `The ${result.kind} task failed: ${code}: ${message}`,
    remedy: 'The log of the daemon says more.',
  });
}
