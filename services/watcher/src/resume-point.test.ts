import { describe, expect, it } from 'vitest';
import { findResumePoint, isBaseMissing, type CapturedPoint } from './resume-point.ts';

const point = (revision: number, timeline = 1): CapturedPoint => ({ timeline, revision, digest: null, clusterId: 7n });

describe('findResumePoint', () => {
  const never = () => Promise.reject(new Error('asked without need'));

  it('asks one source after the other', async () => {
    expect(await findResumePoint({ stream: point(3), state: never, repository: never })).toMatchObject({ revision: 3, source: 'stream' });
    expect(await findResumePoint({ stream: undefined, state: () => Promise.resolve(point(4)), repository: never })).toMatchObject({ revision: 4, source: 'state' });
    const none = () => Promise.resolve(undefined);
    expect(await findResumePoint({ stream: undefined, state: none, repository: () => Promise.resolve(point(5)) })).toMatchObject({ revision: 5, source: 'repository' });
    expect(await findResumePoint({ stream: undefined, state: none, repository: none })).toBeUndefined();
  });
});

describe('isBaseMissing', () => {
  it.each([
    ['nothing is stored', undefined, undefined, true],
    ['only an older timeline is stored', { timeline: 1, revision: 90 }, undefined, true],
    ['a full of this timeline is there', { timeline: 2, revision: 10 }, undefined, false],
    ['deltas hang on the full', { timeline: 2, revision: 20 }, { timeline: 2, revision: 20 }, false],
    ['deltas go on behind a gap without a new full', { timeline: 2, revision: 10 }, { timeline: 2, revision: 20 }, true],
    ['the position is still in the timeline before', { timeline: 2, revision: 10 }, { timeline: 1, revision: 20 }, false],
  ])('%s', (_, head, durable, missing) => {
    expect(isBaseMissing(point(30, 2), head, durable)).toBe(missing);
  });
});
