import { expect, test } from 'vitest';
import { changedSettings } from './changed-settings.ts';

test('names settings that are new, gone or others, and nothing that is followed or given by a flag', () => {
  const running = { version: 1 as const, stateDir: '/s', http: '127.0.0.1:1', restoreRoots: ['/r'] };
  expect(changedSettings(running, structuredClone(running))).toEqual([]);
  const { stateDir: _gone, ...rest } = running;
  const found = { ...rest, http: '127.0.0.1:2', nats: { url: 'nats://n:4222' } };
  expect(changedSettings(running, found)).toEqual(['http', 'nats', 'stateDir']);
  expect(changedSettings(running, found, ['http', 'stateDir'])).toEqual(['nats']);
});
