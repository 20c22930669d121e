import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { collect } from './collect.ts';
import { LocalStore } from './local-store.ts';

const ROUNDS = 15;
const TIMEOUT_MS = 60_000;
const PUTS_BEFORE_KILL_MAX = 12;

/** Numbers that follow from a seed, so that a failure can be run again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Reads lines until `count` puts are reported, then kills without mercy, `delayMs` into whatever comes next. */
async function killAfter(writer: ChildProcess, count: number, delayMs: number): Promise<string[]> {
  const reported: string[] = [];
  for await (const line of createInterface({ input: writer.stdout! })) {
    reported.push(line);
    if (reported.length === count) setTimeout(() => writer.kill('SIGKILL'), delayMs);
  }
  return reported;
}

test(
  'a writer that is killed leaves whole objects only, and all that it reported',
  async () => {
    const seed = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const folder = await mkdtemp(join(tmpdir(), 'local-store-crash-'));
    const store = new LocalStore(join(folder, 'bucket'));
    try {
      let leftovers = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const script = join(import.meta.dirname, 'local-store-writer.ts');
        const writer = spawn(process.execPath, [script, store.root, String(round), join(folder, 'spool')], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const reported = await killAfter(writer, 1 + Math.floor(random() * PUTS_BEFORE_KILL_MAX), random() * 15);
        if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
        expect(writer.signalCode).toBe('SIGKILL');
        const listed = await collect(store.list(''));
        for (const { key, bytes } of listed) {
          const body = await store.get(key);
          // Each body repeats its own key and ends with its length: a part of one can be neither.
          expect(body.length).toBe(bytes);
          expect(Number(body.subarray(-12).toString())).toBe(body.length);
          expect(body.subarray(0, key.length).toString()).toBe(key);
        }
        const keys = new Set(listed.map(({ key }) => key));
        for (const key of reported) expect(keys).toContain(key);
        leftovers += await store.sweepAbandoned('', { olderThanMs: 0, nowMs: Date.now() + 1000 });
      }
      console.log(`${ROUNDS} kills, ${leftovers} temporary files left behind and swept`);
      expect(leftovers).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);
