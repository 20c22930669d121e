import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { eventsStream } from '../names.ts';
import { lastMessageAtReplica } from './stored-message.ts';

/**
 * Removes the messages up to `throughSequence`, which MUST be durable elsewhere. The last message always stays, since
 * it tells the next writer where to go on. A purge beyond the end would even move the stream's last sequence.
 * Answers how many messages went.
 */
export async function trimEvents(bus: Bus, cluster: string, throughSequence: number): Promise<number> {
  // A replica that lags names an earlier message as the last, and that keeps more: safe.
  const last = await lastMessageAtReplica(bus, cluster);
  if (last === undefined) return 0;
  const keepFrom = Math.min(throughSequence + 1, last.sequence);
  if (keepFrom <= 1) return 0;
  const jsm = await bus.slowJsm();
  try {
    const { purged } = await jsm.streams.purge(eventsStream(cluster), { seq: keepFrom });
    return purged;
  } catch (error) {
    throw toBusError(error, `Trimming the event stream of ${cluster}`);
  }
}
