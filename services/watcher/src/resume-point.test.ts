import { describe, expect, it } from 'vitest';
import { findResumePoint, isBaseMissing, type CapturedPoint } from './resume-point.ts';

const point = (revision: number, timeline = 1): CapturedPoint => ({ timeline, revision, digest: null, clusterId: 7n });

describe('findResumePoint', () => {
  const repository = { ...point(5), newestTimeline: 4, hasFull: true, endsInDelta: false };

  it('believes the stream, then the state, then the repository', () => {
    expect(findResumePoint({ stream: point(4), state: point(4), repository })).toMatchObject({
      revision: 4,
      source: 'stream',
    });
    expect(findResumePoint({ stream: undefined, state: point(4), repository })).toMatchObject({
      revision: 4,
      source: 'state',
    });
    expect(findResumePoint({ stream: undefined, state: undefined, repository })).toMatchObject({
      revision: 5,
      source: 'repository',
    });
    expect(findResumePoint({ stream: undefined, state: undefined, repository: undefined })).toBeUndefined();
  });

  it('never goes back behind what is durable when the stream lost its tail: a fork may share what lies before', () => {
    const atDelta = { ...repository, newestTimeline: 1, endsInDelta: true };
    expect(findResumePoint({ stream: point(3), state: point(4), repository })).toMatchObject({
      revision: 4,
      source: 'state',
    });
    expect(findResumePoint({ stream: point(3), state: point(4), repository: atDelta })).toMatchObject({
      revision: 5,
      source: 'repository',
    });
    // A full holds no history of the rows between.
    expect(findResumePoint({ stream: point(3), state: undefined, repository })).toMatchObject({ revision: 3 });
  });

  it('never goes back to an older timeline', () => {
    const second = { ...repository, ...point(2, 2) };
    expect(findResumePoint({ stream: point(3), state: point(4), repository: second })).toMatchObject({
      timeline: 2,
      revision: 2,
      source: 'repository',
    });
    expect(findResumePoint({ stream: point(3, 2), state: point(4), repository })).toMatchObject({
      timeline: 2,
      revision: 3,
      source: 'stream',
    });
  });

  it('knows the cluster of a recorded position from the repository', () => {
    const state = { ...point(9), clusterId: undefined };
    expect(findResumePoint({ stream: undefined, state, repository })).toMatchObject({ clusterId: 7n });
    expect(findResumePoint({ stream: undefined, state: { ...state, timeline: 2 }, repository })?.clusterId).toBe(
      undefined,
    );
  });

  it('knows the newest timeline of all', () => {
    expect(findResumePoint({ stream: point(3), state: point(4, 2), repository })).toMatchObject({
      timeline: 2,
      newestTimeline: 4,
    });
    expect(findResumePoint({ stream: point(3, 7), state: undefined, repository })).toMatchObject({ newestTimeline: 7 });
  });
});

describe('isBaseMissing', () => {
  it.each([
    ['nothing is stored', undefined, undefined, true],
    ['only an older timeline is stored', { timeline: 1, revision: 90, hasFull: true }, undefined, true],
    ['a full of this timeline is there', { timeline: 2, revision: 10, hasFull: true }, undefined, false],
    ['only deltas are there', { timeline: 2, revision: 10, hasFull: false }, undefined, true],
    ['deltas hang on the full', { timeline: 2, revision: 20, hasFull: true }, { timeline: 2, revision: 20 }, false],
    [
      'deltas go on behind a gap without a new full',
      { timeline: 2, revision: 10, hasFull: true },
      { timeline: 2, revision: 20 },
      true,
    ],
    [
      'the position is still in the timeline before',
      { timeline: 2, revision: 10, hasFull: true },
      { timeline: 1, revision: 20 },
      false,
    ],
  ])('%s', (_, head, durable, missing) => {
    expect(isBaseMissing(point(30, 2), head, durable)).toBe(missing);
  });
});
