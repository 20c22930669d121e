import type { Bus } from '@etcd-ops/bus';
import { expect, test } from 'vitest';
import { ProgressLine } from '../output/progress-line.ts';
import { followProgress } from './follow-progress.ts';

test('what the worker tells of the full of this cluster is shown; what cannot be read is not, and the scope ends it', () => {
  const subscriptions: string[] = [];
  let tell: (error: Error | null, message: { string(): string }) => void = () => undefined;
  let ended = 0;
  const nc = {
    subscribe: (subject: string, { callback }: { callback: typeof tell }) => {
      subscriptions.push(subject);
      tell = callback;
      return { unsubscribe: () => (ended += 1) };
    },
  };
  let nowMs = 0;
  const written: string[] = [];
  const line = new ProgressLine({ write: (text) => written.push(text) }, 'json', () => nowMs);
  const at = new Date(0).toISOString();
  const say = (document: unknown): void => {
    nowMs += 2_000;
    tell(null, { string: () => (typeof document === 'string' ? document : JSON.stringify(document)) });
  };
  {
    using _ = followProgress({ nc } as unknown as Bus, 'etcd.bak', line);
    const progress = { version: 1, taskId: 't', kind: 'full', cluster: 'etcd.bak', at };
    say({ ...progress, phase: 'snapshot', bytesDone: 5, bytesTotal: 10 });
    say('no JSON');
    say({ ...progress, phase: 'store', bytesDone: 'many' });
    say({ ...progress, phase: 'store', bytesDone: 7 });
    tell(new Error('permissions'), { string: () => '' });
  }
  expect(subscriptions).toEqual(['etcdops.progress.full.etcd=2Ebak.*']);
  expect(written.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { progress: { phase: 'snapshot', bytesDone: 5, bytesTotal: 10 } },
    { progress: { phase: 'store', bytesDone: 7, bytesTotal: 0 } },
  ]);
  expect(ended).toBe(1);
});
