import { findBinary, missingBinary, startNats, type TestNats } from '@etcd-ops/test-kit';
import type { TestContext } from 'vitest';
import { connectBus, type Bus } from '../connection.ts';

/** The oldest that must work (Debian 12) and the newest at hand. */
export const NATS_VERSIONS = ['2.9', '2.10'];

/** Skips the test, with the reason, where that server is not installed. */
export async function natsOrSkip(context: TestContext, version: string, config?: string): Promise<TestNats> {
  if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
  return startNats({ version, ...(config === undefined ? {} : { config }) });
}

export function connectTo(server: TestNats, name = 'test'): Promise<Bus> {
  return connectBus({ url: server.url, name, requestTimeoutMs: 1_000, pingIntervalMs: 1_000 });
}
