import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as names from './names.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 }).filter((text) => text.isWellFormed());

test('a token is legal everywhere and different for each name', () => {
  fc.assert(
    fc.property(name, name, (left, right) => {
      expect(names.clusterToken(left)).toMatch(/^[A-Za-z0-9_=-]+$/);
      expect(names.clusterToken(left) === names.clusterToken(right)).toBe(left === right);
    }),
  );
});

test('the names of one cluster', () => {
  expect(names.eventsStream('etcd.bak')).toBe('ETCDOPS_EVENTS_etcd=2Ebak');
  expect(names.eventsSubject('etcd.bak')).toBe('etcdops.events.etcd=2Ebak');
  expect(names.positionKey('etcd.bak')).toBe('position.etcd=2Ebak');
  expect(names.lastDoneKey('full', 'a b')).toBe('last.full.a=20b');
  expect(names.lastDoneKey('copy', 'a b', 'off.site')).toBe('last.copy.a=20b.off=2Esite');
});

test('one task of a kind waits per cluster, any number of restores, and one copy per destination', () => {
  const task = { id: 'r1', cluster: 'prod', pool: 'any' };
  expect(names.taskSubject({ ...task, kind: 'full' })).toBe('etcdops.task.full.any.prod');
  expect(names.taskSubject({ ...task, kind: 'restore' })).toBe('etcdops.task.restore.any.prod.r1');
  expect(names.attemptKey({ ...task, kind: 'restore' })).toBe('attempt.restore.prod.r1');
  const copy = { ...task, kind: 'copy', destination: 'off-site' } as const;
  expect(names.taskSubject(copy)).toBe('etcdops.task.copy.any.prod.off-site');
  expect(names.attemptKey(copy)).toBe('attempt.copy.prod.off-site');
});

test('the filters of the work queue never overlap', () => {
  const subject = names.taskSubject({ id: '1', kind: 'full', pool: 'any', cluster: 'any' });
  const matches = names.TASK_KINDS.flatMap((kind) =>
    ['any', 'host-1'].map((pool) => names.taskFilter(kind, pool)),
  ).filter((filter) => subject.startsWith(filter.slice(0, -1)));
  expect(matches).toEqual(['etcdops.task.full.any.>']);
  expect(names.taskDurable('full', 'any')).not.toBe(names.taskDurable('full', 'host'));
});
