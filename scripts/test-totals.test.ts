import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { emptyTotals, judge, readTotals, writeTotals, type TestTotals } from './test-totals.ts';

const finished: TestTotals = { ...emptyTotals, state: 'finished', passed: 3 };

it('is green when something passed and nothing failed', () => {
  expect(judge({ ...finished, skipped: 1 }, 0)).toEqual({ green: true, lines: ['3 passed, 0 failed, 1 skipped'] });
});

it('is red when a test failed', () => {
  const verdict = judge({ ...finished, failed: 2 }, 1);
  expect(verdict).toEqual({ green: false, lines: ['3 passed, 2 failed, 0 skipped'] });
});

it('is red when the run left no totals or did not come to its end', () => {
  expect(judge(undefined, 0).green).toBe(false);
  expect(judge(undefined, 137).lines).toEqual([
    'failed: the run ended with code 137 before vitest could report',
    '0 passed, 1 failed, 0 skipped',
  ]);
  expect(judge(emptyTotals, 0)).toMatchObject({
    green: false,
    lines: [expect.anything(), '0 passed, 1 failed, 0 skipped'],
  });
});

it('is red when the process failed although no test did', () => {
  expect(judge(finished, 1)).toEqual({
    green: false,
    lines: ['failed: the run ended with code 1 although no test failed', '3 passed, 1 failed, 0 skipped'],
  });
});

it('is red when no test ran, be it that all were skipped', () => {
  expect(judge({ ...finished, passed: 0 }, 0)).toEqual({
    green: false,
    lines: ['no test ran', '0 passed, 0 failed, 0 skipped'],
  });
  expect(judge({ ...finished, passed: 0, skipped: 5 }, 0).green).toBe(false);
});

it('gathers skipped tests by reason', () => {
  const skips = [
    { test: 'a > 1', reason: 'no docker' },
    { test: 'b > 2', reason: 'no etcd 3.5' },
    { test: 'c > 3', reason: 'no docker' },
  ];
  expect(judge({ ...finished, skipped: 3, skips }, 0).lines).toEqual([
    'skipped 2: no docker',
    '  a > 1',
    '  c > 3',
    'skipped 1: no etcd 3.5',
    '  b > 2',
    '3 passed, 0 failed, 3 skipped',
  ]);
});

it('reads back what it wrote, and nothing from a torn or missing file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-totals-'));
  try {
    expect(readTotals(directory)).toBeUndefined();
    writeTotals(directory, finished);
    expect(readTotals(directory)).toEqual(finished);
    writeFileSync(join(directory, 'totals.json'), '{"state":"finis');
    expect(readTotals(directory)).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
