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
    [{ timeline: 2 }, { kind: 'latest', timeline: 2 }],
    [{ beforeDelete: '/k' }, { kind: 'before-delete', key: '/k' }],
    [
      { beforeDelete: '/k', prefix: false },
      { kind: 'before-delete', key: '/k' },
    ],
    [
      { beforeDelete: '/p/', prefix: true, timeline: 2 },
      { kind: 'before-delete-prefix', prefix: '/p/', timeline: 2 },
    ],
    [{ beforeDeletePrefix: '/p/' }, { kind: 'before-delete-prefix', prefix: '/p/' }],
  ])('turns %o into %o', (moment, to) => {
    expect(task({ dataDir: '/r/x', ...moment }).to).toEqual(to);
  });

  it.each([
    ['two moments', { dataDir: '/r/x', revision: 7, snapshot: 'k' }],
    ['a timeline of a snapshot', { dataDir: '/r/x', snapshot: 'k', timeline: 2 }],
    [
      'a member that is not in the cluster',
      { dataDirs: [{ member: 'b', dataDir: '/r/x' }], initialCluster: 'a=http://a:1' },
    ],
    ['less than a moment that is named', { dataDir: '/r/x', revision: 7, allowOlder: true }],
    ['two prefixes', { dataDir: '/r/x', beforeDelete: 'a', beforeDeletePrefix: 'b' }],
    ['two TTLs', { dataDir: '/r/x', leaseUnknownTtl: '60s', leaseUnknownTtlSeconds: 60 }],
    ['no directory', {}],
    ['two kinds of directories', { dataDir: '/r/x', dataDirs: [{ member: 'a', dataDir: '/r/y' }] }],
    ['one directory for several members', { dataDir: '/r/x', initialCluster: 'a=http://a:1,b=http://b:1' }],
    ['members that cannot be read', { dataDir: '/r/x', initialCluster: 'nonsense' }],
  ])('refuses %s', (_, request) => {
    expect(() => task(request)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('takes over every option of the request, and says version 2 where an older worker would do something else', () => {
    const options = {
      target: '3.5',
      destination: 'far',
      allowOlder: true,
      skipHashCheck: true,
      maxFetchers: 8,
      leases: 'keep',
      bumpRevision: 5,
      markCompacted: true,
      clearAlarms: true,
    };
    const made = task({ dataDir: '/r/x', ...options, leaseUnknownTtl: '1m30s', startWithin: '2m' });
    expect(made).toMatchObject({
      version: 2,
      ...options,
      leaseUnknownTtlSeconds: 90,
      startBefore: '1970-01-01T00:02:00.000Z',
    });
    expect(restoreTaskSchema.parse(made)).toEqual(made);
    expect(task({ dataDir: '/r/x', target: '3.5', leaseUnknownTtl: '1m30s' }).version).toBe(1);
    for (const words of [{ safeBump: true }, { leases: 'drop' }, { beforeDelete: 'k' }, { timeline: 2 }]) {
      expect(task({ dataDir: '/r/x', ...words }).version).toBe(2);
    }
  });

  it.each([
    [
      'one directory twice',
      [
        { member: 'a', dataDir: '/r/x' },
        { member: 'b', dataDir: '/r/y/../x/' },
      ],
    ],
    ['a log where the data is', [{ member: 'a', dataDir: '/r/x', walDir: '/r/x' }]],
    ['one inside another', [{ member: 'a', dataDir: '/r/x', walDir: '/r/x/wal' }]],
    [
      'a member twice',
      [
        { member: 'a', dataDir: '/r/x' },
        { member: 'a', dataDir: '/r/y' },
      ],
    ],
  ])('the schema refuses %s', (_, dataDirs) => {
    expect(restoreRequestSchema.safeParse({ cluster: 'c', dataDirs }).success).toBe(false);
  });

  it('the schema takes directories side by side', () => {
    const dataDirs = [
      { member: 'a', dataDir: '/r/x', walDir: '/w/x' },
      { member: 'b', dataDir: '/r/x2' },
    ];
    expect(restoreRequestSchema.safeParse({ cluster: 'c', dataDirs }).success).toBe(true);
  });
});
