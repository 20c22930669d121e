import { expect, test } from 'vitest';
import { respell } from './etcdctl-spelling.ts';
import { saidOf } from './said-of.ts';
import { UsageError } from './usage-error.ts';

const ours = new Set(['snapshot', 'restore', 'inspect', 'compact']);
const of = (line: string) => respell(line.split(' '), (name) => ours.has(name));

test.each([
  ['snapshot restore snap.db --name m1', 'restore --from-file snap.db --name m1'],
  [
    '--data-dir=/d --name etcd2 snapshot restore //tmp/snap.db',
    'restore --from-file //tmp/snap.db --data-dir=/d --name etcd2',
  ],
  ['snapshot status snap.db -w json', 'inspect snap.db -w json'],
  ['snapshot --once', 'snapshot --once'],
  ['restore --snapshot restore', 'restore --snapshot restore'],
  ['compact', 'compact'],
])('%s is %s', (line, expected) => {
  expect(of(line).args.join(' ')).toBe(expected);
});

test.each([
  ['snapshot save snap.db', /snapshot --once/],
  ['snapshot restore --name m1', /restore --from-file/],
  ['endpoint status', /etcdctl endpoint/],
  ['defrag', /etcdctl defrag/],
])('%s is told what does it', (line, remedy) => {
  try {
    of(line);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [problem] = error.problems;
    expect(saidOf(problem?.remedy ?? '', 'en')).toMatch(remedy);
    expect(saidOf(problem?.remedy ?? '', 'zh')).toMatch(/\p{Script=Han}/u);
  }
});
