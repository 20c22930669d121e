import { describe, expect, it } from 'vitest';
import { startHealthServer } from './health-server.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import type { Service, ServiceHealth } from './service.ts';

describe('startHealthServer', () => {
  it('answers by what the services say, on a port of its own', async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', name: 'test', stream: { write: (line) => void lines.push(line) } });
    let health: ServiceHealth = { live: true, ready: false, detail: 'connecting' };
    const service: Service = { name: 'watcher', run: () => Promise.resolve(), health: () => health };
    await using server = await startHealthServer({
      port: 0,
      services: [service],
      metrics: createMetrics('test'),
      logger,
    });
    expect(server.host).toBe('127.0.0.1');
    expect(JSON.parse(lines[0]!)).toMatchObject({ port: server.port });
    const get = (path: string, init?: RequestInit) => fetch(server.url + path, init);

    expect((await get('/livez')).status).toBe(200);
    const notReady = await get('/readyz');
    expect(notReady.status).toBe(503);
    expect(await notReady.json()).toEqual({
      status: 'failing',
      services: [{ service: 'watcher', live: true, ready: false, detail: 'connecting' }],
    });
    health = { live: true, ready: true, detail: 'watching 3 clusters' };
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/healthz?x=1')).status).toBe(200);
    health = { live: false, ready: false, detail: 'stuck' };
    expect((await get('/livez')).status).toBe(503);

    const metrics = await get('/metrics');
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    expect(await metrics.text()).toContain('etcdops_build_info');
    expect((await get('/')).status).toBe(404);
    expect((await get('/livez', { method: 'POST' })).status).toBe(405);
    expect(await (await get('/metrics', { method: 'HEAD' })).text()).toBe('');
  });

  it('says which address cannot be had', async () => {
    const options = {
      services: [],
      metrics: createMetrics('test'),
      logger: createLogger({ level: 'silent', name: 'test' }),
    };
    await using first = await startHealthServer({ port: 0, ...options });
    await expect(startHealthServer({ port: first.port, ...options })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(String(first.port)),
    });
  });
});
