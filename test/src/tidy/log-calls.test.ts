import { join } from 'node:path';
import { LOG_EVENTS } from '@etcd-ops/service-kit';
import { describe, expect, test } from 'vitest';
import { logCalls } from './log-calls.ts';
import { readRepository } from './repository-files.ts';

const EVENTS = Object.values(LOG_EVENTS).flatMap((events) => Object.entries(events));
const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];
const isOfServices = (path: string): boolean =>
  /^(services|packages\/(service-kit|cli))\/.*\.ts$/.test(path) &&
  !/\.test\.ts$|\/(testing|fixtures|log-events)\//.test(path);

const files = readRepository(join(import.meta.dirname, '..', '..', '..'));
const calls = files
  .filter(({ path }) => isOfServices(path))
  .flatMap(({ path, text }) => logCalls(text).map((call) => ({ ...call, path })));

describe('what services log', () => {
  test('every call has a sentence, and every sentence a name', () => {
    expect(calls.length).toBeGreaterThan(100);
    const sentences = new Set(EVENTS.map(([, [, sentence]]) => sentence));
    const nameless = calls
      .filter((call) => call.sentences.length === 0 || call.sentences.some((sentence) => !sentences.has(sentence)))
      .map(({ path, line }) => `${path}:${line}`);
    expect(nameless, 'name them in packages/service-kit/src/log-events').toEqual([]);
  });

  test('every name has a call, and the level of the worst of them', () => {
    for (const [name, [level, sentence]] of EVENTS) {
      const found = calls.filter((call) => call.sentences.includes(sentence));
      expect(found.length, name).toBeGreaterThan(0);
      const levels = found.flatMap((call) => call.levels);
      // A variable chooses it: the table is believed.
      if (found.some((call) => call.levels.length !== 1)) continue;
      expect(LEVELS[Math.max(...levels.map((one) => LEVELS.indexOf(one)))], name).toBe(level);
    }
  });

  test('names are said once; what somebody should look at says what it means, and where to go on', () => {
    const names = EVENTS.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(EVENTS.map(([, [, sentence]]) => sentence)).size).toBe(names.length);
    const { text } = files.find(({ path }) => path === 'docs/OPERATIONS.md')!;
    const headings = text.matchAll(/^#+ (.*)$/gm);
    const anchors = new Set([...headings].map(([, heading]) => anchorOf(heading!)));
    for (const [name, [level, , meaning, runbook]] of EVENTS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      if (level === 'warn') expect(meaning, name).toBeDefined();
      if (level === 'error' || level === 'fatal') expect(runbook, name).toBeDefined();
      if (runbook !== undefined) expect(anchors, name).toContain(runbook);
    }
  });
});

test('calls are read as they are written', () => {
  const text = [
    "logger.info({ a: 'no, not this' }, 'Yes, this');",
    "this.#logger[x ? 'warn' : 'debug']({ b }, x === 'gap' ? 'One' : 'Other');",
    "logger.warn('Alone');",
    "log.error({ error }, `it ${'is'} a template`);",
    'logger.error({ c });',
  ].join('\n');
  expect(logCalls(text)).toMatchObject([
    { levels: ['info'], sentences: ['Yes, this'], line: 1 },
    { levels: ['warn', 'debug'], sentences: ['One', 'Other'], line: 2 },
    { levels: ['warn'], sentences: ['Alone'] },
    { levels: ['error'], sentences: ['is'] },
    { levels: ['error'], sentences: [] },
  ]);
});

/** As the pages of repositories make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}
