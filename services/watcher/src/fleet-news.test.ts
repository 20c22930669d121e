import { describe, expect, it } from 'vitest';
import { FleetNews } from './fleet-news.ts';

const OWN = 'watcher.own';
const OTHER = 'watcher.other';
const SILENCE_MS = 4_000;
const HELD_MS = 22_000;

/** All that was there is told at 0 ms. */
function world() {
  const news = new FleetNews({ own: OWN, silenceMs: SILENCE_MS });
  news.begin();
  news.heard(OTHER, 0);
  news.holds('a', { watcher: OTHER, revision: 7, heardMs: 0 });
  news.settle(0);
  const isFree = (nowMs: number) => news.freeSince('a', { nowMs, silentMs: HELD_MS }) !== undefined;
  /** Both speak each second, or one of them. */
  const speak = (who: readonly string[], fromMs: number, toMs: number) => {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1_000) {
      for (const key of who) news.heard(key, nowMs);
      news.look(nowMs, HELD_MS);
    }
  };
  const freed: number[] = [];
  news.onFree('a', () => freed.push(1));
  return { news, isFree, speak, freed };
}

describe('FleetNews', () => {
  it('takes a cluster for held while its watcher lives, however seldom it is renewed', () => {
    const { news, isFree, speak, freed } = world();
    speak([OWN, OTHER], 0, 20_000);
    expect(isFree(20_000)).toBe(false);
    expect(news.abandoned('a')).toBeUndefined();
    expect(news.others).toBe(1);
    expect(freed).toEqual([]);
  });

  it('frees what a silent watcher holds, and tells at which revision', () => {
    const { news, isFree, speak, freed } = world();
    speak([OWN, OTHER], 0, 5_000);
    speak([OWN], 6_000, 9_000);
    expect(freed).toEqual([]);
    speak([OWN], 10_000, 10_000);
    expect(isFree(10_000)).toBe(true);
    expect(news.abandoned('a')).toMatchObject({ revision: 7 });
    expect(news.others).toBe(0);
    expect(freed).toHaveLength(1);
  });

  it('judges nobody while its own voice does not come back, nor right after', () => {
    const { isFree, speak, freed } = world();
    speak([OWN, OTHER], 0, 5_000);
    speak([], 6_000, 20_000);
    // Its own is heard first.
    speak([OWN], 20_000, 22_000);
    expect(isFree(22_000)).toBe(false);
    speak([OWN, OTHER], 23_000, 26_000);
    expect(isFree(26_000 - 5_000)).toBe(false);
    expect(freed).toEqual([]);
  });

  it('takes a key for gone that was not renewed for longer than it lives, though its watcher lives', () => {
    const { isFree, speak, news } = world();
    speak([OWN, OTHER], 0, 30_000);
    expect(isFree(HELD_MS)).toBe(false);
    expect(isFree(HELD_MS + 1)).toBe(true);
    // A living owner's key is not replaced: who asks has to create it.
    expect(news.abandoned('a')).toBeUndefined();
  });

  it('frees at once what is given back, and all that a watcher held that says that it goes', () => {
    const { news, isFree, freed } = world();
    news.gone('a', 1);
    expect(isFree(1)).toBe(true);
    expect(freed).toHaveLength(1);
    news.holds('a', { watcher: OTHER, revision: 9, heardMs: 1 });
    expect(isFree(2)).toBe(false);
    news.gone(OTHER, 2);
    expect(isFree(2)).toBe(true);
    expect(freed).toHaveLength(2);
  });

  it('believes a cluster that names a watcher before that one was heard of', () => {
    const { news, isFree } = world();
    news.holds('a', { watcher: 'watcher.third', revision: 9, heardMs: 1 });
    expect(isFree(2)).toBe(false);
    expect(news.others).toBe(2);
  });

  it('knows since when a cluster is free, by which its takers wait for one another', () => {
    const { news, speak } = world();
    const since = (key: string, nowMs: number) => news.freeSince(key, { nowMs, silentMs: HELD_MS });
    expect(since('never held', 100)).toBe(0);
    news.holds('b', { watcher: OTHER, revision: 8, heardMs: 500 });
    news.gone('b', 700);
    expect(since('b', 900)).toBe(700);
    news.holds('b', { watcher: OTHER, revision: 9, heardMs: 1_000 });
    expect(since('b', 1_100)).toBeUndefined();
    speak([OWN, OTHER], 0, 5_000);
    speak([OWN], 6_000, 10_000);
    expect(since('a', 12_000)).toBe(10_000);
    news.heard(OTHER, 12_000);
    expect(since('a', 12_000)).toBeUndefined();
    expect(since('a', HELD_MS + 10)).toBe(HELD_MS);
  });

  it('comes behind those that live, and before none of them when they are gone', () => {
    const { news } = world();
    const keys = Array.from({ length: 50 }, (_, index) => `cluster-${index}`);
    const ranks = new Set(keys.map((key) => news.rank(key)));
    expect(ranks).toEqual(new Set([0, 1]));
    news.gone(OTHER, 1);
    expect(keys.every((key) => news.rank(key) === 0)).toBe(true);
  });

  it('tells once of a key that has run out', () => {
    const { speak, freed } = world();
    speak([OWN, OTHER], 0, 30_000);
    expect(freed).toHaveLength(1);
  });
});
