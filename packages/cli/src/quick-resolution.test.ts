import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
/** Names what is left for Node to resolve, and who asked. */
const HOOK = `import { registerHooks } from 'node:module';
const left = [];
registerHooks({
  resolve(specifier, context, next) {
    left.push({ specifier, parent: context.parentURL });
    return next(specifier, context);
  },
});
process.on('exit', () => console.error('LEFT ' + JSON.stringify(left)));`;

interface Left {
  specifier: string;
  parent?: string;
}

test('a command that loads the core leaves Node hundreds of names less to resolve', () => {
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  const args = [
    '--import',
    hook,
    MAIN,
    'list',
    '--bucket',
    import.meta.dirname,
    '--cluster-name',
    'none',
    '-o',
    'json',
  ];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const line = stderr.split('\n').find((text) => text.startsWith('LEFT ')) ?? 'LEFT []';
  const left = (JSON.parse(line.slice('LEFT '.length)) as Left[]).filter(
    ({ parent }) => !/\/(main|quick-resolution)\.ts$/.test(parent ?? ''),
  );
  // It did load both.
  expect(left.map(({ specifier }) => specifier)).toEqual(expect.arrayContaining(['@etcd-ops/core', 'zod']));
  expect(left.filter(({ specifier }) => specifier.startsWith('.') && specifier.endsWith('.ts'))).toEqual([]);
  expect(left.filter(({ specifier }) => specifier.startsWith('node:'))).toEqual([]);
  expect(left.filter(({ specifier, parent }) => specifier.startsWith('.') && parent?.includes('/zod/'))).toEqual([]);
});
