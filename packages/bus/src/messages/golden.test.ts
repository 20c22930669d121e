import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { attemptSchema } from './attempt.ts';
import { clusterSpecSchema } from './cluster-spec.ts';
import { deadLetterSchema } from './dead-letter.ts';
import { jobAnswerSchema } from './job-api.ts';
import { jobSchema } from './job.ts';
import { lastDoneSchema } from './last-done.ts';
import { listAnswerSchema } from './list-api.ts';
import { MESSAGES } from './message-list.ts';
import { notificationSchema } from './notification.ts';
import { ownerSchema } from './owner.ts';
import { planAnswerSchema } from './plan-api.ts';
import { positionSchema } from './position.ts';
import { progressSchema } from './progress.ts';
import { readTolerantly, withUnknown } from './read-tolerantly.ts';
import { restoreAnswerSchema } from './restore-api.ts';
import { snapshotAnswerSchema } from './snapshot-api.ts';
import { statusAnswerSchema } from './status-api.ts';
import { taskResultSchema } from './task-result.ts';
import { taskSchema, taskVersionMax } from './task.ts';
import { verifyAnswerSchema } from './verify-api.ts';

type Golden = Record<string, Record<string, unknown>>;

const golden = (name: string): Golden =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'golden', name), 'utf8')) as Golden;
/** As this version writes them, with every field. A release that cannot read them any more breaks the upgrade from this one. */
const V1 = golden('messages-v1.json');
/** The same, as a later version of the same major may write them: with a field more wherever fields are. */
const AHEAD = golden('messages-ahead.json');

const SCHEMAS: Record<string, z.ZodType> = {
  attempt: attemptSchema,
  'cluster-spec': clusterSpecSchema,
  'dead-letter': deadLetterSchema,
  job: jobSchema,
  'job-answer': jobAnswerSchema,
  'last-done': lastDoneSchema,
  'list-answer': listAnswerSchema,
  notification: notificationSchema,
  owner: ownerSchema,
  'plan-answer': planAnswerSchema,
  position: positionSchema,
  progress: progressSchema,
  'restore-answer': restoreAnswerSchema,
  'snapshot-answer': snapshotAnswerSchema,
  'status-answer': statusAnswerSchema,
  'task-result': taskResultSchema,
  'verify-answer': verifyAnswerSchema,
};
for (const { shape } of taskSchema.options) SCHEMAS[`task-${shape.kind.value}`] = taskSchema;
const names = Object.keys(SCHEMAS);

test('every message and document that is not asked by people has its files', () => {
  const asked = MESSAGES.filter(({ title }) => title.endsWith(', request')).length;
  expect(names).toHaveLength(MESSAGES.length - asked);
  expect(Object.keys(V1).toSorted()).toEqual(names.toSorted());
  expect(Object.keys(AHEAD).toSorted()).toEqual(names.toSorted());
});

describe.each(names)('%s', (name) => {
  const schema = SCHEMAS[name]!;

  test('of version 1 is read as it was written', () => {
    expect(readTolerantly(schema, V1[name], name)).toEqual({ value: V1[name], unknown: [] });
  });

  test('with fields of a later version is read without them, and left as it was', () => {
    const ahead = structuredClone(AHEAD[name]);
    expect(readTolerantly(schema, ahead, name).value).toEqual(V1[name]);
    expect(ahead).toEqual(AHEAD[name]);
  });

  test('of a later version of its own is refused with a sentence', () => {
    if (!('version' in V1[name]!)) return;
    const later = { ...V1[name], version: 2 };
    expect(() => readTolerantly(schema, later, 'The thing')).toThrow(
      'The thing has version 2, and this etcd-ops reads version 1',
    );
  });
});

test('a restore that a worker of version 1 would do otherwise says version 2, and is left to those who know it', () => {
  const restore = {
    ...V1['task-restore'],
    version: 2,
    to: { kind: 'before-delete-prefix', prefix: '/p/', timeline: 1 },
    destination: 'far',
    leases: 'keep',
    bumpRevision: 1000,
    markCompacted: true,
    safeBump: false,
    clearAlarms: true,
  };
  const versionMax = taskVersionMax('restore');
  expect(readTolerantly(taskSchema, restore, 'The task', { versionMax })).toEqual({ value: restore, unknown: [] });
  expect(() => readTolerantly(taskSchema, restore, 'The task')).toThrow('The task has version 2');
  expect(() => readTolerantly(taskSchema, { ...restore, version: 3 }, 'The task', { versionMax })).toThrow(
    'The task has version 3, and this etcd-ops reads version 2',
  );
});

describe('who changes a spec', () => {
  const read = readTolerantly(clusterSpecSchema, AHEAD['cluster-spec'], 'spec');

  test('keeps what a later version has added', () => {
    expect(read.unknown.length).toBeGreaterThan(10);
    expect(withUnknown(read.value, read)).toEqual(AHEAD['cluster-spec']);
    const edited = withUnknown({ ...read.value, timezone: 'Europe/Berlin' }, read);
    expect(edited).toEqual({ ...AHEAD['cluster-spec'], timezone: 'Europe/Berlin' });
  });

  test('does not bring back what he has taken away, nor puts it into another entry of a list', () => {
    const { encryption: _gone, ...rest } = read.value;
    const [far] = read.value.destinations!;
    const edited = withUnknown({ ...rest, destinations: [{ ...far!, name: 'near' }] }, read);
    expect(edited).not.toHaveProperty('encryption');
    expect((edited as typeof rest).destinations).toEqual([{ ...far, name: 'near' }]);
  });

  test('is refused a field that he mistyped', () => {
    expect(clusterSpecSchema.safeParse(AHEAD['cluster-spec']).success).toBe(false);
  });
});
