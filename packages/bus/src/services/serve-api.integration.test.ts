import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectTo } from '../testing/connect-to.ts';
import { callApi } from './call-api.ts';
import { apiEndpoint, serveApi, type ServeApiOptions } from './serve-api.ts';

const answer = z.object({ id: z.string() });
const request = z.strictObject({
  do: z.enum(['answer', 'reject', 'throw', 'refuse', 'hang', 'slow', 'lie', 'ramble']),
});

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function setUp(context: Parameters<typeof natsOrSkip>[0], options: Partial<ServeApiOptions> = {}) {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const server = stack.use(await natsOrSkip(context, version));
    const bus = stack.use(await connectTo(server));
    const errors: unknown[] = [];
    const aborted: boolean[] = [];
    const endpoint = apiEndpoint({
      name: 'restore',
      request,
      answer,
      handler: async ({ do: what }, { signal }) => {
        if (what === 'reject') return Promise.reject(new Error('password=hunter2'));
        if (what === 'refuse') throw new EtcdOpsError('TARGET_OCCUPIED', { message: '/data holds a member' });
        if (what === 'hang') await delay(60_000, undefined, { signal }).catch(() => aborted.push(signal.aborted));
        if (what === 'slow') await delay(300);
        if (what === 'lie') return { id: 7 } as never;
        if (what === 'ramble') return { id: 'x'.repeat(2_000_000) };
        return { id: 'r1' };
      },
    });
    const thrower = apiEndpoint({
      name: 'plan',
      request,
      answer,
      handler: () => {
        throw new Error('password=hunter2');
      },
    });
    const serve = () =>
      serveApi(bus, {
        version: '1.2.3',
        endpoints: [endpoint, thrower],
        onError: (_, error) => errors.push(error),
        ...options,
      });
    const api = stack.use(await serve());
    const ask = (body: unknown, name = 'restore') => callApi(bus, name, body, { answer, timeoutMs: 3_000 });
    const codeOf = (body: unknown, name?: string) =>
      ask(body, name).then(
        () => 'answered',
        (error: unknown) => (isEtcdOpsError(error) ? `${error.code}: ${error.message}` : String(error)),
      );
    return { bus, api, ask, codeOf, errors, aborted };
  }

  test('what is asked rightly is answered', async (context) => {
    const { ask, bus } = await setUp(context);
    expect(await ask({ do: 'answer' })).toEqual({ id: 'r1' });
    const found = [];
    for await (const info of await bus.nc.services.client().info('etcdops')) found.push(info);
    expect(found).toMatchObject([
      { name: 'etcdops', version: '1.2.3', endpoints: [{ subject: 'etcdops.restore' }, { subject: 'etcdops.plan' }] },
    ]);
  });

  test('whatever a handler does, the caller gets an answer, and never a secret', async (context) => {
    const { codeOf, errors, bus } = await setUp(context);
    const internal = 'BUS_FAILED: INTERNAL: Unexpected error; the log of the service has the details.';
    expect(await codeOf({ do: 'reject' })).toBe(internal);
    expect(await codeOf({ do: 'throw' }, 'plan')).toBe(internal);
    expect(await codeOf({ do: 'lie' })).toBe(internal);
    expect(await codeOf({ do: 'refuse' })).toBe('TARGET_OCCUPIED: /data holds a member');
    expect(errors).toHaveLength(4);
    for await (const stats of await bus.nc.services.client().stats('etcdops')) {
      expect(JSON.stringify(stats)).not.toContain('hunter2');
      const [restore, plan] = stats.endpoints ?? [];
      expect(restore).toMatchObject({ name: 'restore', num_requests: 3, num_errors: 3, last_error: 'TARGET_OCCUPIED' });
      expect(plan).toMatchObject({ name: 'plan', num_requests: 1, num_errors: 1, last_error: 'INTERNAL' });
    }
  });

  test('statistics tell how long answers took, and the service says what it takes', async (context) => {
    const { ask, bus } = await setUp(context);
    await ask({ do: 'slow' });
    const client = bus.nc.services.client();
    for await (const { endpoints } of await client.stats('etcdops')) {
      expect(endpoints?.[0]).toMatchObject({ num_requests: 1, num_errors: 0 });
      // The handler takes 300 ms, all of them behind its first await.
      expect(endpoints?.[0]?.processing_time).toBeGreaterThan(290_000_000);
      expect(endpoints?.[0]?.processing_time).toSatisfy(Number.isInteger);
    }
    for await (const { endpoints } of await client.info('etcdops')) {
      const { request_schema: schema, response_schema: answered } = endpoints?.[0]?.metadata ?? {};
      expect(JSON.parse(schema!)).toMatchObject({ type: 'object', required: ['do'], additionalProperties: false });
      expect(JSON.parse(answered!)).toMatchObject({ properties: { id: { type: 'string' } } });
    }
  });

  test('an answer that the server does not take is told of, and no reason to fall silent', async (context) => {
    const { codeOf, ask, errors } = await setUp(context);
    expect(await codeOf({ do: 'ramble' })).toMatch(/^LIMIT_EXCEEDED: .*max_payload/);
    expect(errors).toHaveLength(1);
    expect(await ask({ do: 'answer' })).toEqual({ id: 'r1' });
  });

  test('a wrong request is told what is wrong', async (context) => {
    const { codeOf, bus } = await setUp(context);
    expect(await codeOf({ do: 'answer', revison: 5 })).toMatch(/^USAGE: The request is not valid: .*revison/);
    expect(await codeOf({})).toMatch(/^USAGE: The request is not valid: do /);
    const told = await bus.nc.request('etcdops.restore', '{"do":"answer","d":1}');
    expect(told.json()).toMatchObject({
      error: {
        code: 'USAGE',
        remedy: expect.stringMatching(/the fields of etcdops\.restore.*nats micro info/) as string,
        issues: [{ message: expect.stringContaining('"d"') as string }],
      },
    });
    const raw = await bus.nc.request('etcdops.restore', 'no json');
    expect(raw.headers?.get('Nats-Service-Error-Code')).toBe('400');
    expect(raw.json()).toMatchObject({ error: { code: 'USAGE', message: 'The request is no JSON' } });
  });

  test('a handler that hangs is given up in time, and told so', async (context) => {
    const { codeOf, aborted } = await setUp(context, { timeoutMs: 200 });
    expect(await codeOf({ do: 'hang' })).toMatch(/^BUS_FAILED: restore was not answered within 200 ms/);
    await eventually(() => aborted.length === 1);
  });

  test('too many at once are refused, nobody listening is told at once', async (context) => {
    const { codeOf, ask } = await setUp(context, { concurrentMax: 2 });
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => codeOf({ do: 'slow' })));
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(2);
    expect(outcomes.filter((outcome) => outcome.includes('More than 2 requests'))).toHaveLength(3);
    expect(await ask({ do: 'answer' })).toEqual({ id: 'r1' });
    expect(await codeOf({}, 'nothing')).toBe('BUS_UNREACHABLE: Nobody serves etcdops.nothing');
  });

  test('who stops answers what has begun', async (context) => {
    const { api, ask, codeOf } = await setUp(context);
    const pending = ask({ do: 'slow' });
    await delay(100);
    await api.stop();
    expect(await pending).toEqual({ id: 'r1' });
    expect(await codeOf({ do: 'answer' })).toMatch(/Nobody serves/);
  });
});
