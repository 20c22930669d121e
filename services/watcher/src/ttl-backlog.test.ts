import { expect, test } from 'vitest';
import { TtlBacklog } from './ttl-backlog.ts';

test('counts what was published until it is stored', () => {
  const backlog = new TtlBacklog();
  backlog.published(3, 10);
  backlog.published(4, 12);
  expect(backlog.waiting).toBe(7);
  backlog.durable(9);
  expect(backlog.waiting).toBe(7);
  backlog.durable(11);
  expect(backlog.waiting).toBe(4);
  backlog.durable(12);
  expect(backlog.waiting).toBe(0);
});

test('forgets nothing of very many messages, and says it durable only with the last', () => {
  const backlog = new TtlBacklog();
  for (let sequence = 1; sequence <= 1_000; sequence++) backlog.published(1, sequence);
  expect(backlog.waiting).toBe(1_000);
  backlog.durable(999);
  expect(backlog.waiting).toBeGreaterThan(0);
  backlog.durable(1_000);
  expect(backlog.waiting).toBe(0);
});
