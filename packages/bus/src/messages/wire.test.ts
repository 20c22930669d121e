import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { attemptSchema } from './attempt.ts';
import { clusterSpecSchema } from './cluster-spec.ts';
import { deadLetterSchema } from './dead-letter.ts';
import { jobAnswerSchema, jobRequestSchema } from './job-api.ts';
import { jobSchema } from './job.ts';
import { lastDoneSchema } from './last-done.ts';
import { listAnswerSchema, listRequestSchema } from './list-api.ts';
import { notificationSchema } from './notification.ts';
import { ownerSchema } from './owner.ts';
import { planAnswerSchema, planRequestSchema } from './plan-api.ts';
import { positionSchema } from './position.ts';
import { progressSchema } from './progress.ts';
import { restoreAnswerSchema, restoreRequestSchema } from './restore-api.ts';
import { snapshotAnswerSchema, snapshotRequestSchema } from './snapshot-api.ts';
import { statusAnswerSchema, statusRequestSchema } from './status-api.ts';
import { taskResultSchema } from './task-result.ts';
import { taskSchema } from './task.ts';
import { verifyAnswerSchema, verifyRequestSchema } from './verify-api.ts';

/**
 * The wire as it is spoken. Whoever changes a schema meets this test and has to answer: can services of the version
 * before still read what is sent, and the other way round? Adding an optional field: yes, give the new hash. Anything
 * else: raise the message's `version`, keep reading the old one, and write it down in docs/MESSAGES.md.
 */
const WIRE: Record<string, { schema: z.ZodType; hash: string }> = {
  attempt: { schema: attemptSchema, hash: '2c6f35ec74a7b916' },
  'cluster-spec': { schema: clusterSpecSchema, hash: '21a56dbb6b2e2ef7' },
  'dead-letter': { schema: deadLetterSchema, hash: 'fa8e0e6179a7577f' },
  job: { schema: jobSchema, hash: '97b9414bf130584b' },
  'job-answer': { schema: jobAnswerSchema, hash: 'f47ab16167eaf5ab' },
  'job-request': { schema: jobRequestSchema, hash: '6a7c60d75c9d3695' },
  'last-done': { schema: lastDoneSchema, hash: '0a35674c2cff187d' },
  'list-answer': { schema: listAnswerSchema, hash: '351d5be510494006' },
  'list-request': { schema: listRequestSchema, hash: 'ad17a222ba96a20b' },
  notification: { schema: notificationSchema, hash: 'e68d19b202fb31ae' },
  owner: { schema: ownerSchema, hash: '5fb3da4dd89c9bf0' },
  'plan-answer': { schema: planAnswerSchema, hash: '02aac5172ac4b59e' },
  'plan-request': { schema: planRequestSchema, hash: '0a4f1b7efc4552cc' },
  position: { schema: positionSchema, hash: '607e984a3211dd19' },
  progress: { schema: progressSchema, hash: '69111a3f660887dd' },
  'restore-answer': { schema: restoreAnswerSchema, hash: 'b93b35d550e84835' },
  'restore-request': { schema: restoreRequestSchema, hash: '0a4f1b7efc4552cc' },
  'snapshot-answer': { schema: snapshotAnswerSchema, hash: '87d23fd2dad9d89b' },
  'snapshot-request': { schema: snapshotRequestSchema, hash: '872600648b006088' },
  'status-answer': { schema: statusAnswerSchema, hash: 'c2f3705cab8f0964' },
  'status-request': { schema: statusRequestSchema, hash: '818f7d7c05e8a5ff' },
  task: { schema: taskSchema, hash: '8d1b2e78f75506a1' },
  'task-result': { schema: taskResultSchema, hash: '1f44124ba2d68f89' },
  'verify-answer': { schema: verifyAnswerSchema, hash: '9bd1771c372cd57a' },
  'verify-request': { schema: verifyRequestSchema, hash: '08c62b534336170c' },
};

test.each(Object.keys(WIRE))('the wire of %s is what it was', (name) => {
  const { schema, hash } = WIRE[name]!;
  expect(hashOf(schema)).toBe(hash);
});

function hashOf(schema: z.ZodType): string {
  const json = JSON.stringify(sorted(z.toJSONSchema(schema, { io: 'input' })));
  return createHash('sha256').update(json).digest('hex').slice(0, 16);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

const TASK = { version: 1, id: 't', kind: 'gc', cluster: 'c', createdAt: '2026-11-20T06:00:00Z', cause: 'full' };
const SPEC = {
  version: 1,
  name: 'c',
  endpoints: ['https://10.0.0.1:2379'],
  store: { provider: 'Local', bucket: '/b' },
};

describe('who ignores what', () => {
  test('readers of messages ignore fields that they do not know', () => {
    expect(taskSchema.parse({ ...TASK, colour: 'blue' })).toEqual({ ...TASK, pool: 'any' });
  });

  test('another version is no message of ours', () => {
    expect(taskSchema.safeParse({ ...TASK, version: 2 }).success).toBe(false);
  });

  test('configuration and requests refuse fields that they do not know', () => {
    expect(clusterSpecSchema.safeParse({ ...SPEC, colour: 'blue' }).success).toBe(false);
    expect(clusterSpecSchema.safeParse({ ...SPEC, snapshots: { shedule: '* * * * *' } }).success).toBe(false);
    expect(restoreRequestSchema.safeParse({ cluster: 'c', revison: 5 }).success).toBe(false);
  });

  test('a spec is complete with its defaults', () => {
    expect(clusterSpecSchema.parse(SPEC)).toMatchObject({
      snapshots: {
        schedule: '*/20 * * * *',
        codec: 'none',
        deltaPeriodMs: 10_000,
        deltaBytesMax: 10_485_760,
      },
      retention: { maxBackups: 240, gcPeriodMs: 60_000, graceMs: 900_000 },
    });
  });

  test('a policy of rules has a rule', () => {
    const withRetention = (retention: object): boolean => clusterSpecSchema.safeParse({ ...SPEC, retention }).success;
    expect(withRetention({ policy: 'KeepRules' })).toBe(false);
    expect(withRetention({ policy: 'KeepRules', keepDaily: 0 })).toBe(false);
    expect(withRetention({ policy: 'KeepRules', keepDaily: 7, pointInTimeWindowMs: 86_400_000 })).toBe(true);
    expect(withRetention({ keepDayly: 7 })).toBe(false);
  });

  test('an endpoint holds no credentials', () => {
    for (const endpoint of ['http://root:secret@10.0.0.1:2379', 'ftp://a:1', 'a b']) {
      expect(clusterSpecSchema.safeParse({ ...SPEC, endpoints: [endpoint] }).success).toBe(false);
    }
  });
});
