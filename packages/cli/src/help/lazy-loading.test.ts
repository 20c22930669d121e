import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'main.ts');
/** Names every package that is resolved, at the end. */
const HOOK = `import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  resolve(specifier, context, next) {
    if (/^@etcd-ops\\/|^zod$|^yaml$/.test(specifier)) loaded.add(specifier);
    return next(specifier, context);
  },
});
process.on('exit', () => console.error('LOADED ' + [...loaded].join(' ')));`;

/** What keeps help below 150 ms: it reads the tables of the commands, and nothing that does their work. */
test.each([
  { args: ['--help'] },
  { args: ['restore', '--help'] },
  { args: ['snapshot', '--help'] },
  { args: ['version'] },
  { args: ['-v'] },
  { args: ['completion', 'bash'] },
])('etcd-ops $args loads no package of the house', ({ args }) => {
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  // A variable that no flag has is looked up among all names that there are, with the help of the core.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_OPS_')));
  const { status, stderr } = spawnSync(process.execPath, ['--import', hook, MAIN, ...args], { encoding: 'utf8', env });
  expect(status, stderr).toBe(0);
  expect(stderr.split('\n')).toContain('LOADED ');
});
