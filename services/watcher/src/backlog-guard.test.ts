import { describe, expect, it } from 'vitest';
import { backlogNeedsGuard, isBacklogWhole } from './backlog-guard.ts';

describe('the guard of backlog batches', () => {
  it.each([
    ['3.3.27', true],
    ['3.4.23', true],
    ['3.4.35', true],
    ['3.4.36', false],
    ['3.5.0', true],
    ['3.5.16', true],
    ['3.5.17', true],
    ['3.5.18', false],
    ['3.5.30-rc.1', false],
    ['3.6.0', false],
    ['3.7.1', false],
    ['4.0.0', false],
    ['unknown', true],
  ])('version %s needs it: %s', (version, needed) => {
    expect(backlogNeedsGuard(version)).toBe(needed);
  });

  it('reads one revision below the first of the batch', async () => {
    const member = (compacted: number) => ({
      readAt: (revision: number) => Promise.resolve(revision < compacted ? ('compacted' as const) : ('ok' as const)),
    });
    expect(await isBacklogWhole(member(7), 7)).toBe(false);
    expect(await isBacklogWhole(member(6), 7)).toBe(true);
  });
});
