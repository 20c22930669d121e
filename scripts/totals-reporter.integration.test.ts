import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { judge, readTotals, type TestTotals } from './test-totals.ts';

const root = join(import.meta.dirname, '..');
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-reporter-'));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  mkdirSync(join(directory, 'report'));
  writeFileSync(
    join(directory, 'vitest.config.ts'),
    `import { TotalsReporter } from ${JSON.stringify(join(import.meta.dirname, 'totals-reporter.ts'))};
     export default { test: { pool: 'forks', allowOnly: false, reporters: [new TotalsReporter(${JSON.stringify(join(directory, 'report'))})] } };`,
  );
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

interface Run {
  readonly code: number | null;
  readonly totals: TestTotals | undefined;
}

/** A real vitest over these files. */
function runVitest(files: Readonly<Record<string, string>>, ...options: string[]): Run {
  for (const [name, body] of Object.entries(files)) {
    writeFileSync(join(directory, name), `import { beforeAll, describe, expect, it } from 'vitest';\n${body}\n`);
  }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--root', directory, ...options], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: 'ignore',
    timeout: 60_000,
  });
  return { code: status, totals: readTotals(join(directory, 'report')) };
}

const green = ({ code, totals }: Run): boolean => judge(totals, code ?? 137).green;

it('counts tests, and keeps the reasons of skipped ones', () => {
  const run = runVitest({
    'a.test.ts': `it('good', () => {}); it('bad', () => { expect(1).toBe(2); }); it('soon', (ctx) => ctx.skip('no docker')); it.todo('later');`,
  });
  expect(run.code).toBe(1);
  expect(run.totals).toEqual({
    state: 'finished',
    passed: 1,
    failed: 1,
    skipped: 2,
    troubles: [],
    skips: [
      { test: 'a.test.ts > soon', reason: 'no docker' },
      { test: 'a.test.ts > later', reason: 'to do' },
    ],
  });
});

it('does not count what a name filter leaves out', () => {
  const run = runVitest(
    {
      'a.test.ts': `describe('suite', () => { it('one', () => {}); it('two', () => {}); it('one, skipped', (ctx) => ctx.skip('why')); });`,
    },
    '-t',
    'suite > one',
  );
  expect(run.totals).toMatchObject({ passed: 1, failed: 0, skipped: 1 });
  expect(green(run)).toBe(true);
});

it.each([
  ['a file that does not load', `throw new Error('no such module');`, /a\.test\.ts: no such module/],
  [
    'a suite whose setup fails',
    `describe('s', () => { beforeAll(() => { throw new Error('no server'); }); it('x', () => {}); });`,
    /no server/,
  ],
  ['an unhandled rejection', `it('x', () => { void Promise.reject(new Error('lost')); });`, /lost/],
  ['a file without tests', 'export {};', /a\.test\.ts/],
])('is red for %s beside a good file', (_what, body, trouble) => {
  const run = runVitest({ 'a.test.ts': body, 'b.test.ts': `it('good', () => {});` });
  expect(run.totals).toMatchObject({ state: 'finished', failed: 1 });
  expect(run.totals?.troubles).toEqual([expect.stringMatching(trouble)]);
  expect(green(run)).toBe(false);
});

it('is red for a test that silences the others', () => {
  const run = runVitest({ 'a.test.ts': `it.only('x', () => {}); it('y', () => {});` });
  expect(run.totals?.failed).toBeGreaterThan(0);
  expect(green(run)).toBe(false);
});

it('is red when a worker dies under its tests', () => {
  const run = runVitest({
    'a.test.ts': `it('x', async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); });`,
    'b.test.ts': `it('good', () => {});`,
  });
  expect(run.totals?.failed).toBeGreaterThan(0);
  expect(green(run)).toBe(false);
});

it('is red when vitest itself dies', () => {
  const run = runVitest({
    'a.test.ts': `it('x', async () => { process.kill(process.ppid, 'SIGKILL'); await new Promise((resolve) => setTimeout(resolve, 200)); });`,
  });
  expect(run.totals?.state).toBe('running');
  expect(green(run)).toBe(false);
});

it('is red when no file matches', () => {
  const run = runVitest({ 'a.test.ts': `it('x', () => {});` }, 'no-such-file');
  expect(green(run)).toBe(false);
});
