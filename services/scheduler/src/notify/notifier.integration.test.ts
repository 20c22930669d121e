import { createServer, type IncomingHttpHeaders } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import {
  connectBus,
  deadSubject,
  doneSubject,
  ensureTopology,
  notificationSchema,
  type Bus,
  type Notification,
  type TaskResult,
} from '@etcd-ops/bus';
import { createLogger, createMetrics, systemClock } from '@etcd-ops/service-kit';
import { eventually, findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { createSchedulerMetrics } from '../metrics.ts';
import { notificationsSchema } from './notification-settings.ts';
import { runNotifier } from './notifier.ts';

interface Call {
  headers: IncomingHttpHeaders;
  body: Notification;
}

/** A receiver that answers with these statuses, one after the other, then with 204; 0 hangs. */
async function startReceiver(statuses: number[] = []) {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      calls.push({
        headers: request.headers,
        body: notificationSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))),
      });
      const status = statuses.shift() ?? 204;
      if (status !== 0) response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hook/s3cret-path`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function startNotifier(bus: Bus, settings: object) {
  const lines: string[] = [];
  const stop = new AbortController();
  const metrics = createMetrics('test');
  const ended = runNotifier({
    bus,
    settings: notificationsSchema.parse({ intervalMs: 0, timeoutMs: 2_000, ...settings }),
    metrics: createSchedulerMetrics(metrics),
    logger: createLogger({ level: 'debug', name: 'test', stream: { write: (line: string) => void lines.push(line) } }),
    clock: systemClock,
    signal: stop.signal,
  });
  return {
    lines,
    metrics,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

/** Until both consumers are there: lines of before are nobody's. */
async function isReading(bus: Bus): Promise<void> {
  const jsm = await bus.jsm();
  await eventually(async () => {
    await jsm.consumers.info('ETCDOPS_HISTORY', 'notify');
    await jsm.consumers.info('ETCDOPS_DEAD', 'notify');
  });
}

const at = (): string => new Date().toISOString();

async function finish(bus: Bus, kind: 'full' | 'delta' | 'verify', changes: Partial<TaskResult>): Promise<void> {
  const base = { version: 1, taskId: 'task-1', kind, cluster: 'prod', startedAt: at(), finishedAt: at(), attempt: 1 };
  const result = { ...base, ok: true, summary: {}, worker: 'test', ...changes };
  await bus.js.publish(doneSubject(kind, 'prod'), JSON.stringify(result));
}

const FAILED = {
  ok: false,
  attempt: 5,
  failure: { code: 'STORE_DENIED', message: 'The bucket refuses the key', remedy: 'Give the right.' },
};

describe.each(['2.9', '2.10'])('notifications on nats-server %s', (version) => {
  it('tell of each happening that is wished, and of nothing else', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await using receiver = await startReceiver();
    await using notifier = startNotifier(bus, {
      webhook: { url: receiver.url },
      on: ['failure', 'gap', 'fork', 'dead-letter'],
    });
    await isReading(bus);

    await finish(bus, 'full', { summary: { bytes: 1, edge: { verdict: 'ok' } } });
    await finish(bus, 'full', { summary: { edge: { verdict: 'failed' } } });
    await finish(bus, 'full', { ...FAILED, taskId: 'full-1' });
    const starts = [
      { cause: 'first', timeline: 1, revision: 5 },
      { cause: 'gap', timeline: 1, revision: 90, after: 40, compacted: 80 },
      { cause: 'fork', timeline: 2, revision: 30, after: 95 },
    ];
    await finish(bus, 'delta', { taskId: 'delta-1', summary: { starts } });
    const letter = {
      version: 1,
      task: '{"version":9',
      subject: 'etcdops.task.full.any.prod',
      sequence: 3,
      attempts: 0,
      cause: { code: 'BUS_MESSAGE_INVALID', message: 'not a task' },
      deadAt: at(),
      worker: 'test',
    };
    await bus.js.publish(deadSubject('full', 'prod'), JSON.stringify(letter));

    const told = () => receiver.calls.flatMap(({ body }) => body.happenings);
    await eventually(() =>
      expect(
        told()
          .map(({ what }) => what)
          .toSorted(),
      ).toEqual(['dead-letter', 'failure', 'fork', 'gap']),
    );
    expect(told().find(({ what }) => what === 'failure')).toMatchObject({
      ...{ id: 'failure/prod/full-1', cluster: 'prod', taskKind: 'full', taskId: 'full-1' },
      text: 'The task full of prod was given up after 5 attempts: The bucket refuses the key',
      failure: { code: 'STORE_DENIED' },
    });
    expect(told().find(({ what }) => what === 'gap')?.text).toMatch(
      /between 40 and 90; etcd had compacted up to revision 80/,
    );
    await eventually(async () =>
      expect(await notifier.metrics.exposition()).toContain('etcdops_notifications_total{result="told"} 4'),
    );
  });

  it('come again with the same id until the receiver takes them, and a restart forgets none', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await using receiver = await startReceiver([503, 429]);
    const settings = { webhook: { url: receiver.url } };
    {
      await using notifier = startNotifier(bus, settings);
      await isReading(bus);
      await finish(bus, 'full', { ...FAILED, taskId: 'full-1' });
      await eventually(() => expect(receiver.calls).toHaveLength(3), { timeoutMs: 30_000 });
      await eventually(async () =>
        expect(await notifier.metrics.exposition()).toContain('etcdops_notifications_total{result="told"} 1'),
      );
      expect(new Set(receiver.calls.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    }
    // Nobody is there while this happens.
    await finish(bus, 'verify', {
      taskId: 'verify-1',
      summary: { proofs: [{ verdict: 'failed', to: 77 }], verdict: 'failed' },
    });
    await using _next = startNotifier(bus, settings);
    await eventually(() => expect(receiver.calls).toHaveLength(4), { timeoutMs: 30_000 });
    expect(receiver.calls[3]!.body.happenings).toMatchObject([{ what: 'proof', id: 'proof/prod/verify-1/0' }]);
  });
});

const version = '2.10';

describe('notifications', () => {
  it('are shared by schedulers, and a burst goes together', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await using receiver = await startReceiver();
    const settings = { webhook: { url: receiver.url }, intervalMs: 200 };
    await using _one = startNotifier(bus, settings);
    await using _two = startNotifier(bus, settings);
    await isReading(bus);
    for (let index = 0; index < 60; index++) await finish(bus, 'full', { ...FAILED, taskId: `full-${index}` });
    const told = () => receiver.calls.flatMap(({ body }) => body.happenings.map(({ id }) => id));
    await eventually(() => expect(new Set(told()).size).toBe(60), { timeoutMs: 30_000 });
    expect(told()).toHaveLength(60);
    expect(receiver.calls.length).toBeLessThan(40);
  });

  it('give up after so many attempts, at once where trying again is of no use, and keep secrets', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await using receiver = await startReceiver([500, 500, 403]);
    await using dir = tempDir();
    await writeFile(dir.file('url'), `${receiver.url}\n`);
    await writeFile(dir.file('headers'), 'Authorization: Bearer t0psecret\n');
    const webhook = { urlFile: dir.file('url'), headersFile: dir.file('headers') };
    await using notifier = startNotifier(bus, { webhook, attemptsMax: 2 });
    await isReading(bus);
    await finish(bus, 'full', { ...FAILED, taskId: 'full-1' });
    await eventually(() => expect(receiver.calls).toHaveLength(2), { timeoutMs: 30_000 });
    await finish(bus, 'full', { ...FAILED, taskId: 'full-2' });
    await eventually(() => expect(receiver.calls).toHaveLength(3), { timeoutMs: 30_000 });
    await finish(bus, 'full', { ...FAILED, taskId: 'full-3' });
    await eventually(() => expect(receiver.calls).toHaveLength(4), { timeoutMs: 30_000 });
    expect(receiver.calls[3]!.body.happenings.map(({ id }) => id)).toEqual(['failure/prod/full-3']);
    await eventually(async () => {
      const text = await notifier.metrics.exposition();
      expect(text).toContain('etcdops_notifications_total{result="dropped"} 2');
      expect(text).toContain('etcdops_notifications_total{result="told"} 1');
    });
    expect(receiver.calls[0]!.headers['authorization']).toBe('Bearer t0psecret');
    const log = notifier.lines.join('');
    expect(log).toContain('The webhook answers 403');
    expect(log).not.toMatch(/s3cret|t0psecret/);
    expect(JSON.stringify(receiver.calls.map(({ body }) => body))).not.toMatch(/s3cret|t0psecret/);
  });

  it('run a command with the JSON on its standard input and an environment without keys', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await using dir = tempDir();
    const file = dir.file('told');
    process.env['AWS_SECRET_ACCESS_KEY'] ??= 'never-passed-on';
    const script = 'cat > "$0.part"; env >> "$0.part"; mv "$0.part" "$0"';
    await using _notifier = startNotifier(bus, { command: ['/bin/sh', '-c', script, file] });
    await isReading(bus);
    await finish(bus, 'full', { ...FAILED, taskId: 'full-1' });
    const text = await eventually(async () => await readFile(file, 'utf8'), { timeoutMs: 30_000 });
    expect(notificationSchema.parse(JSON.parse(text.split('\n')[0]!)).happenings).toHaveLength(1);
    expect(text).toContain('PATH=');
    expect(text).not.toContain('AWS_SECRET_ACCESS_KEY');
  });
});
