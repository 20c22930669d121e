import { EtcdOpsError, type StateChanges } from '@etcd-ops/core';
import { describe, expect, test } from 'vitest';
import { restoreCommand } from '../commands/restore.ts';
import { readCommandLine } from '../options/command-line.ts';
import type { ChangeOptions } from '../options/moment-options.ts';
import { UsageError } from '../options/usage-error.ts';
import { describeBeforeDelete } from './before-delete.ts';
import { stateChangesOf } from './state-changes.ts';

async function changesOf(...line: string[]): Promise<StateChanges> {
  const read = await readCommandLine(restoreCommand, line, {});
  if (read.kind === 'help') throw new Error('help was asked for');
  return stateChangesOf(read.options as unknown as ChangeOptions);
}

describe('what is changed on the way', () => {
  test.each([
    { line: [], is: { bumpRevision: undefined, safeBump: false, leases: 'renew', dropAlarms: false } },
    { line: ['--bump-revision', '5', '--mark-compacted'], is: { bumpRevision: 5 } },
    { line: ['--bump-revision', '0'], is: { bumpRevision: undefined } },
    { line: ['--safe-bump'], is: { safeBump: true, bumpRevision: undefined } },
    { line: ['--safe-bump', '--mark-compacted'], is: { safeBump: true } },
    { line: ['--leases', 'drop', '--clear-alarms'], is: { leases: 'drop', dropAlarms: true } },
    { line: ['--lease-unknown-ttl', '1m30s'], is: { leaseUnknownTtlSeconds: 90 } },
  ])('$line', async ({ line, is }) => {
    expect(await changesOf(...line)).toMatchObject(is);
  });

  test.each([
    { line: ['--bump-revision', '5'], says: '--bump-revision needs --mark-compacted' },
    { line: ['--mark-compacted'], says: 'says nothing without a raised revision' },
    { line: ['--bump-revision', '0', '--mark-compacted'], says: 'says nothing without a raised revision' },
    { line: ['--leases', 'drop', '--lease-unknown-ttl', '60s'], says: 'contradict each other' },
    { line: ['--lease-unknown-ttl', '1500ms'], says: '1.5s is not possible' },
    { line: ['--lease-unknown-ttl', '0'], says: '0s is not possible' },
  ])('$line is refused', async ({ line, says }) => {
    const error = await changesOf(...line).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EtcdOpsError);
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining(says) as string });
  });

  test.each([
    ['--bump-revision=5', '--mark-compacted', '--safe-bump'],
    ['--before-delete', 'k', '--before-delete-prefix', 'p'],
    ['--before-delete', 'k', '--revision', '3'],
    ['--before-delete-prefix', 'p', '--time', '2026-11-20T06:00:00Z'],
    ['--before-delete', 'k', '--snapshot', 's'],
    ['--from-file', 'f', '--safe-bump'],
  ])('%s %s %s %s', async (...line) => {
    const error = await changesOf(...line.filter((word) => word !== undefined)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).problems).toHaveLength(1);
    expect((error as UsageError).message).toContain('cannot be given together');
  });
});

test('a deletion in one line', () => {
  const found = { timeline: 1, revision: 1200, objectKey: 'd' };
  expect(describeBeforeDelete({ ...found, key: '/k', recreatedAt: 1300 })).toBe(
    '/k lived last at revision 1,200, found in d; made anew at revision 1,300',
  );
  expect(describeBeforeDelete({ ...found, prefix: '/p/', keysBefore: 40, keysAfter: 0 })).toBe(
    '/p/: 40 keys lived at revision 1,200, found in d; 0 afterwards',
  );
});
