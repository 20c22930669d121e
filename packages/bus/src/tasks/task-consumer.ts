import { EtcdOpsError } from '@etcd-ops/core';
import { AckPolicy, DeliverPolicy, nanos, NatsError, ReplayPolicy, type ConsumerConfig } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { API_ERROR, isApiError, isDefiniteRefusal, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { taskDurable, taskFilter, TASKS_STREAM, type TaskKind } from '../names.ts';
import { isOfLaterTopology, topologyMarker } from '../topology-version.ts';
import { findUnreachableTasks, freeUnreadableTasks } from './unreachable-tasks.ts';

export interface TaskConsumerOptions {
  kind: TaskKind;
  pool: string;
  ackWaitMs: number;
  /** Told when nobody can read some tasks, and whoever runs this may not empty the queue: an operator has to. */
  onUnreadable?: (error: EtcdOpsError) => void;
}

/** A message that waits for its delayed redelivery counts against this limit: it must never be the bottleneck. */
const ACK_PENDING_MAX = 10_000;
const TRIES_MAX = 5;

/**
 * Creates the durable consumer of a kind and pool, or adjusts it; answers its name. One that has forgotten tasks is made anew and
 * delivers all that lie there: what is being worked on is then worked on twice, which handlers bear.
 */
export async function ensureTaskConsumer(bus: Bus, options: TaskConsumerOptions): Promise<string> {
  const durable = taskDurable(options.kind, options.pool);
  const wanted = {
    durable_name: durable,
    description: topologyMarker(),
    filter_subject: taskFilter(options.kind, options.pool),
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(options.ackWaitMs),
    // A limit here would leave the message in the queue undelivered, and its cluster blocked, for ever.
    max_deliver: -1,
    max_ack_pending: ACK_PENDING_MAX,
    // No `backoff`: it replaces ack_wait and breaks working() and delayed naks (bus.md part 1).
  } satisfies Partial<ConsumerConfig>;
  const jsm = await bus.jsm();
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await consumerConfig(bus, durable);
      const filter = wanted.filter_subject;
      const unreachable = found === undefined ? undefined : await findUnreachableTasks(bus, { durable, filter });
      if (unreachable !== undefined) {
        if (unreachable === 'unreadable') await freeOrTell(bus, options);
        await jsm.consumers.delete(TASKS_STREAM, durable);
        await jsm.consumers.add(TASKS_STREAM, { ...wanted });
      } else if (found === undefined) await jsm.consumers.add(TASKS_STREAM, { ...wanted });
      else if (!isOfLaterTopology(found) && differs(found, wanted)) {
        const { description, ack_wait, max_deliver, max_ack_pending } = wanted;
        const changes = { description, ack_wait, max_deliver, max_ack_pending };
        await jsm.consumers.update(TASKS_STREAM, durable, changes);
      }
      return durable;
    } catch (error) {
      // Another worker made it at the same moment, or the creation timed out: look again.
      const retry = isApiError(error, API_ERROR.consumerExists) || !isDefiniteRefusal(error);
      if (!retry || attempt >= TRIES_MAX) {
        throw toBusError(error, `Preparing the consumer ${durable} of ${TASKS_STREAM}`);
      }
      await delay(attempt * 100);
    }
  }
}

/**
 * Roles of single services may not empty a queue that they share with others, whose tasks they could not even put back. A consumer that
 * is made anew delivers all that can be read: only the subjects of the unreadable tasks stay occupied.
 */
async function freeOrTell(bus: Bus, { kind, onUnreadable }: TaskConsumerOptions): Promise<void> {
  try {
    await freeUnreadableTasks(bus);
  } catch (cause) {
    if (!(cause instanceof NatsError && cause.isPermissionError())) throw cause;
    const message = `${TASKS_STREAM} holds ${kind} tasks, or will, that NATS cannot read any more: no further ones for their clusters`;
    const remedy = `As the operator of the account: \`nats stream purge ${TASKS_STREAM}\`. Tasks of a schedule come again by themselves.`;
    onUnreadable?.(new EtcdOpsError('BUS_FAILED', { message, remedy, cause }));
  }
}

async function consumerConfig(bus: Bus, durable: string): Promise<ConsumerConfig | undefined> {
  const jsm = await bus.jsm();
  try {
    return (await jsm.consumers.info(TASKS_STREAM, durable)).config;
  } catch (error) {
    if (isApiError(error, API_ERROR.consumerNotFound)) return undefined;
    throw error;
  }
}

function differs(found: ConsumerConfig, wanted: Partial<ConsumerConfig>): boolean {
  return (['description', 'ack_wait', 'max_deliver', 'max_ack_pending'] as const).some(
    (field) => found[field] !== wanted[field],
  );
}
