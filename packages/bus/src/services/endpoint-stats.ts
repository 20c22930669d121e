import { nanos, type Service } from 'nats';

/** What the client library counts of an endpoint and shows by `nats micro stats`. */
interface EndpointStats {
  name: string;
  num_requests: number;
  num_errors: number;
  processing_time: number;
  average_processing_time: number;
  last_error?: string;
}

/**
 * Completes the statistics of an endpoint. The library measures until the handler returns, which is before an asynchronous one has done anything,
 * and counts errors that are thrown, which ours never are. Its counters are not part of its interface: where they are not found, its own view stays.
 */
export function noteAnswer(
  service: Service,
  endpoint: string,
  answer: { elapsedMs: number; errorCode?: string | undefined },
): void {
  const stats = countersOf(service, endpoint);
  if (stats === undefined) return;
  // Whole nanoseconds: programs in Go read nothing else.
  stats.processing_time += Math.round(nanos(answer.elapsedMs));
  stats.average_processing_time = Math.round(stats.processing_time / Math.max(1, stats.num_requests));
  if (answer.errorCode === undefined) return;
  stats.num_errors++;
  // The code alone: whoever may read statistics need not see what others asked for.
  stats.last_error = answer.errorCode;
}

function countersOf(service: Service, endpoint: string): EndpointStats | undefined {
  const { handlers } = service as unknown as { handlers?: { name?: string; stats?: EndpointStats }[] };
  if (!Array.isArray(handlers)) return undefined;
  const stats = handlers.find(({ name }) => name === endpoint)?.stats;
  return typeof stats?.num_requests === 'number' ? stats : undefined;
}
