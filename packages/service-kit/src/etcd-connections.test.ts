import { clusterSpecSchema, type ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdAccess, EtcdCluster } from '@etcd-ops/etcd-client';
import { describe, expect, it, vi } from 'vitest';
import { etcdAccess, EtcdConnections } from './etcd-connections.ts';
import { createLogger } from './logger.ts';

const logger = createLogger({ level: 'silent', name: 'test' });

function makeSpec(endpoint = 'a:1', username = 'root'): ClusterSpec {
  return clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: [endpoint],
    auth: { username, passwordFile: '/secret' },
    store: { provider: 'Local', bucket: '/b' },
  });
}

function setUp({ idleMs = 60_000 } = {}) {
  const made: { access: EtcdAccess; closed: boolean }[] = [];
  const pending: (() => void)[] = [];
  let failure: EtcdOpsError | undefined;
  let hold = false;
  const connections = new EtcdConnections({
    logger,
    idleMs,
    async connect(access) {
      if (hold) await new Promise<void>((resolve) => pending.push(resolve));
      if (failure !== undefined) throw failure;
      const entry = { access, closed: false };
      made.push(entry);
      return { [Symbol.asyncDispose]: () => Promise.resolve(void (entry.closed = true)) } as EtcdCluster;
    },
  });
  return {
    connections,
    made,
    fail: (error: EtcdOpsError | undefined) => (failure = error),
    holdConnects: () => (hold = true),
    release: () => pending.splice(0).forEach((resolve) => resolve()),
  };
}

describe('EtcdConnections', () => {
  it('shares one connection, and keeps it when all loans are given back', async () => {
    const { connections, made } = setUp();
    const loans = await Promise.all([connections.borrow(makeSpec()), connections.borrow(makeSpec())]);
    expect(loans[0].cluster).toBe(loans[1].cluster);
    for (const loan of loans) await loan[Symbol.asyncDispose]();
    await connections.borrow(makeSpec());
    expect(made).toHaveLength(1);
    await connections.close();
    expect(made[0]!.closed).toBe(true);
    await expect(connections.borrow(makeSpec())).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('connects anew when the access changed, and closes the old one with its last loan', async () => {
    const { connections, made } = setUp();
    const old = await connections.borrow(makeSpec('a:1'));
    const next = await connections.borrow(makeSpec('b:1'));
    expect(made.map(({ access }) => access.endpoints)).toEqual([['a:1'], ['b:1']]);
    expect(made[0]!.closed).toBe(false);
    await old[Symbol.asyncDispose]();
    await old[Symbol.asyncDispose]();
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
    connections.forget('prod');
    await next[Symbol.asyncDispose]();
    expect(made[1]!.closed).toBe(true);
  });

  it('closes what nobody borrows for a while, and tries rights once for each access', async () => {
    vi.useFakeTimers();
    try {
      let tried = 0;
      const made: { closed: boolean }[] = [];
      const connections = new EtcdConnections({
        logger,
        idleMs: 1_000,
        connect() {
          const entry = { closed: false };
          made.push(entry);
          return Promise.resolve({
            checkRights: () => Promise.resolve((tried++, [])),
            [Symbol.asyncDispose]: () => Promise.resolve(void (entry.closed = true)),
          } as unknown as EtcdCluster);
        },
      });
      const closed = (): boolean[] => made.map((entry) => entry.closed);
      const first = await connections.borrow(makeSpec());
      const second = await connections.borrow(makeSpec());
      await first[Symbol.asyncDispose]();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(closed()).toEqual([false]);
      await second[Symbol.asyncDispose]();
      await vi.advanceTimersByTimeAsync(999);
      const third = await connections.borrow(makeSpec());
      await vi.advanceTimersByTimeAsync(5_000);
      expect(closed()).toEqual([false]);
      await third[Symbol.asyncDispose]();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(closed()).toEqual([true]);
      await connections.borrow(makeSpec());
      expect(closed()).toEqual([true, false]);
      await vi.advanceTimersByTimeAsync(0);
      expect(tried).toBe(1);
      await connections.borrow(makeSpec('b:1'));
      await vi.advanceTimersByTimeAsync(0);
      expect(tried).toBe(2);
      await connections.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('tries again after a failure', async () => {
    const { connections, made, fail } = setUp();
    fail(new EtcdOpsError('ETCD_UNREACHABLE', { message: 'away' }));
    await expect(connections.borrow(makeSpec())).rejects.toMatchObject({ code: 'ETCD_UNREACHABLE' });
    fail(undefined);
    await connections.borrow(makeSpec());
    expect(made).toHaveLength(1);
  });

  it('ends one waiting with its signal, and the connecting goes on for the others', async () => {
    const { connections, made, holdConnects, release } = setUp();
    holdConnects();
    const stop = new AbortController();
    const impatient = expect(connections.borrow(makeSpec(), { signal: stop.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    const patient = connections.borrow(makeSpec());
    stop.abort();
    await impatient;
    release();
    await patient;
    expect(made).toHaveLength(1);
  });

  it('says which rights are missing, and what a connection warns of', async () => {
    const lines: string[] = [];
    const stream = { write: (line: string) => void lines.push(line) };
    const error = new EtcdOpsError('ETCD_AUTH', { message: 'the user reader may not do this' });
    let warn: EtcdAccess['onWarning'];
    await using connections = new EtcdConnections({
      logger: createLogger({ level: 'info', name: 'test', stream }),
      connect: (access) => {
        warn = access.onWarning;
        const missing = [{ credential: 'maintenance', calls: ['Snapshot'], error }];
        return Promise.resolve({
          checkRights: () => Promise.resolve(missing),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        } as unknown as EtcdCluster);
      },
    });
    await connections.borrow(makeSpec());
    warn!(new EtcdOpsError('ETCD_TLS', { message: 'The new TLS files are not used' }));
    warn!(new EtcdOpsError('ETCD_TLS', { message: 'The new TLS files are not used' }));
    await vi.waitFor(() => expect(lines).toHaveLength(2));
    expect(lines.join('')).toContain('the user reader may not do this');
    expect(lines.join('')).toContain('The new TLS files are not used');
  });

  it('passes a password on as its file only', () => {
    expect(etcdAccess(makeSpec())).toEqual({
      endpoints: ['a:1'],
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 10_000,
      auth: { username: 'root', passwordFile: '/secret' },
    });
    const maintenanceAuth = { username: 'keeper', passwordFile: '/other' };
    expect(etcdAccess({ ...makeSpec(), maintenanceAuth })).toMatchObject({
      auth: { username: 'root' },
      maintenanceAuth,
    });
  });
});
