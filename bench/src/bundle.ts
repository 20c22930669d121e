import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';

const ROOT = join(import.meta.dirname, '..', '..');

/** The file that bin/etcd-ops runs: any call of it bundles the sources where they are newer. */
export async function bundledProgram(): Promise<string> {
  await promisify(execFile)(join(ROOT, 'bin', 'etcd-ops'), ['version']);
  const programs = join(ROOT, '.tools', 'program');
  const name = await readFile(join(programs, 'stamp'), 'utf8');
  return join(programs, name.trim(), 'lib', 'main.js');
}

/** A script of this folder, bundled as the program is: what it is measured against is one file, too. @returns its path in `directory`. */
export async function bundledScript(name: string, directory: string): Promise<string> {
  await using bundle = await rolldown({
    input: join(import.meta.dirname, name),
    platform: 'node',
    external: [/^node:/, 'ali-oss', 'etcd3'],
    checks: { ineffectiveDynamicImport: false },
  });
  const file = `${basename(name, '.ts')}.mjs`;
  await bundle.write({ dir: directory, format: 'esm', entryFileNames: file, chunkFileNames: '[name]-[hash].mjs' });
  return join(directory, file);
}
