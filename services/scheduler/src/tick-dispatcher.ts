import { randomUUID } from 'node:crypto';
import type { DispatchOutcome, TaskInput, TaskOf } from '@etcd-ops/bus';
import { isEtcdOpsError } from '@etcd-ops/core';
import { isRetriable, retry, type Clock, type Logger, type Metrics } from '@etcd-ops/service-kit';
import type { DispatchedKind } from './dispatched-kinds.ts';
import { createSchedulerMetrics } from './metrics.ts';
import type { SchedulerPort } from './scheduler-port.ts';

type CauseOf<K extends DispatchedKind> = TaskOf<K>['cause'];

export interface TaskWish<K extends DispatchedKind> {
  kind: K;
  cluster: string;
  cause: CauseOf<K>;
  /** The tick that asks for it, in milliseconds; without one, `occasion` names what does. */
  tickMs?: number | undefined;
  /** Together with kind and cluster it makes the message id: the same occasion seen by two schedulers is one task. */
  occasion?: string;
  /** Of a copy. */
  destination?: string | undefined;
  /** Of a delta. */
  cutSequence?: number;
  /** A bus that fails is asked again for so long; a later tick makes this one superfluous. */
  deadlineMs: number;
}

/** What a restore of the newest state leans on, and the chain before it, which the newest full proves. */
const SCHEDULED_PROOF = { depth: 'prove', scope: { kind: 'newest' } };

/** Puts tasks on the queue, each wish once however many schedulers have it. */
export class TickDispatcher {
  readonly #port: SchedulerPort;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ticks;

  constructor(options: { port: SchedulerPort; clock: Clock; logger: Logger; metrics: Metrics }) {
    this.#port = options.port;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#ticks = createSchedulerMetrics(options.metrics).tasks;
  }

  /** Never throws but CANCELLED: a wish that could not be dispatched is logged and counted, and the next tick comes. */
  async dispatch<K extends DispatchedKind>(
    wish: TaskWish<K>,
    signal: AbortSignal,
  ): Promise<DispatchOutcome | 'failed'> {
    const { kind, cluster, cause, destination } = wish;
    const what = destination === undefined ? kind : `${kind}-${destination}`;
    const tick = wish.tickMs === undefined ? undefined : new Date(wish.tickMs).toISOString();
    const occasion = tick ?? wish.occasion ?? randomUUID();
    const task = {
      version: 1,
      id: tick === undefined ? `${what}-${randomUUID()}` : `${what}-${tick}`,
      kind,
      cluster,
      cause,
      createdAt: new Date(this.#clock.now()).toISOString(),
      ...(tick === undefined ? {} : { tick }),
      ...(destination === undefined ? {} : { destination }),
      ...(wish.cutSequence === undefined ? {} : { cutSequence: wish.cutSequence }),
      ...(kind === 'verify' ? SCHEDULED_PROOF : {}),
      // The shape follows from `kind`, which the compiler cannot see through the parameter; the bus checks it.
    } as TaskInput;
    const place = destination === undefined ? cluster : `${cluster}/${destination}`;
    const facts = {
      cluster,
      kind,
      cause,
      ...(destination === undefined ? {} : { destination }),
      ...(tick === undefined ? {} : { tick }),
    };
    try {
      const outcome = await retry(() => this.#port.dispatch(task, `${kind}/${place}/${occasion}`), {
        signal,
        clock: this.#clock,
        deadlineMs: wish.deadlineMs,
        shouldRetry: isRetriable,
      });
      this.#ticks.add({ cluster, kind, outcome });
      this.#logger[outcome === 'accepted' && kind !== 'delta' ? 'info' : 'debug'](
        { ...facts, outcome },
        'Task dispatched',
      );
      return outcome;
    } catch (error) {
      if (isEtcdOpsError(error, 'CANCELLED')) throw error;
      this.#ticks.add({ cluster, kind, outcome: 'failed' });
      this.#logger.error({ ...facts, error }, 'Could not dispatch a task');
      return 'failed';
    }
  }
}
