import { restoreRequestSchema, restoreTaskSchema } from '@etcd-ops/bus';
import { describe, expect, it } from 'vitest';
import { taskOfRequest } from './restore-request.ts';

const task = (request: object) => taskOfRequest(restoreRequestSchema.parse({ cluster: 'c', ...request }), 'id-1', 0);

describe('taskOfRequest', () => {
  it('fills in what a single member needs', () => {
    const made = task({ dataDir: '/r/x' });
    expect(restoreTaskSchema.parse(made)).toEqual(made);
    expect(made).toMatchObject({
      to: { kind: 'latest' },
      dataDirs: [{ member: 'default', dataDir: '/r/x' }],
      initialCluster: 'default=http://localhost:2380',
      token: 'etcd-cluster',
    });
    expect(task({ dataDir: '/r/x', initialCluster: 'm1=http://a:1' }).dataDirs).toEqual([
      { member: 'm1', dataDir: '/r/x' },
    ]);
  });

  it.each([
    [
      { revision: 7, timeline: 2 },
      { kind: 'revision', revision: 7, timeline: 2 },
    ],
    [{ time: '2026-11-20T06:00:00Z' }, { kind: 'time', timeMs: Date.parse('2026-11-20T06:00:00Z') }],
    [{ snapshot: 'k' }, { kind: 'snapshot', key: 'k' }],
  ])('turns %o into %o', (moment, to) => {
    expect(task({ dataDir: '/r/x', ...moment }).to).toEqual(to);
  });

  it.each([
    ['two moments', { dataDir: '/r/x', revision: 7, snapshot: 'k' }],
    ['a timeline alone', { dataDir: '/r/x', timeline: 2 }],
    ['no directory', {}],
    ['two kinds of directories', { dataDir: '/r/x', dataDirs: [{ member: 'a', dataDir: '/r/y' }] }],
    ['one directory for several members', { dataDir: '/r/x', initialCluster: 'a=http://a:1,b=http://b:1' }],
    ['members that cannot be read', { dataDir: '/r/x', initialCluster: 'nonsense' }],
  ])('refuses %s', (_, request) => {
    expect(() => task(request)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
