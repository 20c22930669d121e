import type { TaskResult } from '@etcd-ops/bus';
import { expect, test } from 'vitest';
import { DestinationLags } from './destination-lags.ts';

function line(kind: string, minute: number, changes: Partial<TaskResult> = {}): TaskResult {
  const at = new Date(Date.parse('2026-11-20T06:00:00Z') + minute * 60_000).toISOString();
  const times = { startedAt: at, finishedAt: at };
  const base = { version: 1 as const, taskId: 'x', kind, cluster: 'prod', ...times, attempt: 1, worker: 'w' };
  return { ...base, ok: true, summary: {}, ...changes };
}

function copied(destination: string, minute: number, ok = true): TaskResult {
  const { finishedAt: tick } = line('copy', minute);
  return line('copy', minute, { ok, tick, summary: { destination } });
}

test('each is behind by itself; a failed copy brings nobody forward', () => {
  const lags = new DestinationLags();
  const both = (): number[] => ['near', 'far'].map((name) => lags.seconds('prod', name));
  expect(both()).toEqual([0, 0]);
  lags.note(line('full', 0));
  expect(both()).toEqual([0, 0]);
  lags.note(line('delta', 10));
  expect(both()).toEqual([600, 600]);
  lags.note(copied('near', 11));
  expect(both()).toEqual([0, 600]);
  lags.note(copied('far', 11, false));
  expect(both()).toEqual([0, 600]);
  lags.note(line('delta', 30));
  lags.note(copied('far', 12));
  expect(both()).toEqual([19 * 60, 18 * 60]);
  lags.note(copied('far', 31));
  lags.note(copied('near', 31));
  expect(both()).toEqual([0, 0]);
  lags.clear();
  expect(both()).toEqual([0, 0]);
});

test('a history that begins behind the objects says nothing of them', () => {
  const lags = new DestinationLags();
  lags.note(copied('near', 5));
  expect(lags.seconds('prod', 'far')).toBe(0);
  lags.note(line('delta', 7));
  expect(lags.seconds('prod', 'near')).toBe(120);
});
