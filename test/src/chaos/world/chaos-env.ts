import { readFileSync } from 'node:fs';

/** What the environment says about a storm, and what a service under test gets of it. */

/** `$ETCD_OPS_TEST_SEED` repeats a storm; without it, `usual`, or another one each time. */
export function chaosSeed(usual = Date.now() % 1_000_000_000): number {
  const given = process.env['ETCD_OPS_TEST_SEED'];
  if (given === undefined || given === '') return usual;
  const seed = Number(given);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('ETCD_OPS_TEST_SEED is no whole number');
  return seed;
}

/** The environment of a process without anything that is meant for the tests or another etcd. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const isForeign = (name: string) => name.startsWith('ETCD') || name.startsWith('VITEST') || name === 'NODE_OPTIONS';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name)));
}

/** The variable by which every process of a world is found again, whoever started it. */
export const WORLD_VARIABLE = 'ETCD_OPS_TEST_WORLD';
/** The variable that names the control file of `fault-hook.ts`. */
export const FAULTS_VARIABLE = 'ETCD_OPS_TEST_FAULTS';

export function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

/** `$ETCD_OPS_TEST_LONG`: outages as long as in life. */
export function isLongForm(): boolean {
  return (process.env['ETCD_OPS_TEST_LONG'] ?? '') !== '';
}
