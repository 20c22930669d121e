import { connectBus, type Bus } from '../connection.ts';

/** Impatient, so that tests of failures are short. */
export function connectTo(server: { url: string }): Promise<Bus> {
  return connectBus({ url: server.url, name: 'test', requestTimeoutMs: 1_000, pingIntervalMs: 1_000 });
}
