import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { notificationSchema, type Notification } from '@etcd-ops/bus';
import { eventually, freePorts, missingServers, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { startEtcdOps } from './run-etcd-ops.ts';

const reason = missingServers();

async function startHook() {
  const calls: Notification[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      calls.push(notificationSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    calls,
    url: `http://127.0.0.1:${typeof address === 'object' ? address!.port : 0}/T0K3N-of-the-hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a full that fails is told once, to the webhook of the file; metrics have the names of the seed beside ours', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using etcd = await startEtcd();
  await etcd.etcdctl('put', 'key', 'value');
  await using hook = await startHook();
  writeFileSync(scratch.file('hook-url'), `${hook.url}\n`);
  writeFileSync(scratch.file('hook-headers'), 'Authorization: Bearer T0K3N-of-the-header\n');
  // A store in which nothing can be made.
  writeFileSync(scratch.file('no-folder'), '');
  const [port] = await freePorts(1);
  const file = scratch.file('clusters.yaml');
  writeFileSync(
    file,
    [
      'stateDir: state',
      `http: 127.0.0.1:${port}`,
      'metricsCompat: seed',
      'notifications: { webhook: { urlFile: hook-url, headersFile: hook-headers }, on: [failure], intervalMs: 0 }',
      'clusters:',
      `  - { name: prod, endpoints: ['${etcd.endpoint}'], store: { provider: Local, bucket: no-folder/backups } }`,
    ].join('\n'),
  );
  await using daemon = startEtcdOps('up', '--config', file);
  const fulls = () => hook.calls.flatMap(({ happenings }) => happenings).filter(({ taskKind }) => taskKind === 'full');
  await eventually(() => expect(fulls().length, daemon.errors()).toBeGreaterThan(0), { timeoutMs: 120_000 });
  const [first] = fulls();
  expect(first).toMatchObject({
    what: 'failure',
    cluster: 'prod',
    failure: { code: expect.stringMatching(/^STORE_/) },
  });

  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(page).toMatch(/^etcdops_tasks_total\{kind="full",result="dead",cluster="prod"\} [1-9]/m);
  expect(page).toMatch(/^etcdops_notifications_total\{result="told"\} [1-9]/m);
  expect(page).toMatch(/^failure\{error="STORE_[A-Z_]+"\} [1-9]/m);
  expect(page).toContain('latest_revision{kind="Full"} 0');

  daemon.child.kill('SIGTERM');
  expect((await daemon.result).exitCode, daemon.errors()).toBe(0);
  const ids = hook.calls.flatMap(({ happenings }) => happenings.map(({ id }) => id));
  expect(ids.filter((id) => id === first!.id)).toHaveLength(1);
  expect(daemon.errors()).not.toContain('T0K3N');
  expect(JSON.stringify(hook.calls)).not.toContain('T0K3N');
});
