import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../commands/command-list.ts';
import { completionScript } from './completion-script.ts';
import { type Shell, SHELLS } from './shells.ts';

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'etcd-ops-completion-'));
  for (const shell of SHELLS) writeFileSync(join(scratch, shell), completionScript(shell, COMMANDS));
  writeFileSync(join(scratch, 'ca.crt'), '');
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function isThere(shell: Shell): boolean {
  try {
    execFileSync(shell, ['-c', 'exit 0'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What TAB offers behind a line, as the shell itself works it out. */
const ask: Record<'bash' | 'fish', (line: string) => string[]> = {
  bash: (line) =>
    run('bash', ['--norc', '-c', `source ./bash; ${bashWords(line)}; _etcd_ops; printf '%s\\n' "\${COMPREPLY[@]}"`]),
  fish: (line) =>
    run('fish', ['--no-config', '-c', `source ./fish; complete -C '${line}'`]).map((offer) => offer.split('\t')[0]!),
};

function run(shell: string, args: string[]): string[] {
  return execFileSync(shell, args, {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, HOME: scratch, TERM: 'dumb' },
  })
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** As readline breaks it: a space at the end begins a new word, and "=" is a word of its own. */
function bashWords(line: string): string {
  const words = line.split(/ +|(=)/).filter((word) => word !== undefined && word !== '');
  if (line.endsWith(' ')) words.push('');
  return `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
}

const CASES = [
  { line: 'etcd-ops re', offers: ['restore'], not: ['snapshot'] },
  { line: 'etcd-ops restore --initial-cluster-', offers: ['--initial-cluster-token'], not: ['--data-dir'] },
  { line: 'etcd-ops restore --no-skip', offers: ['--no-skip-hash-check'], not: ['--skip-hash-check'] },
  { line: 'etcd-ops list --output ', offers: ['table', 'json'], not: ['yaml'] },
  { line: 'etcd-ops service ', offers: ['watcher', 'uploader'], not: ['restore'] },
];

describe.each(['bash', 'fish'] as const)('%s', (shell) => {
  test.for(CASES)('behind "$line" offers $offers', ({ line, offers, not }, context) => {
    if (!isThere(shell)) context.skip(`no ${shell} on PATH`);
    const offered = ask[shell](line);
    for (const offer of offers) expect(offered, shell).toContain(offer);
    for (const other of not) expect(offered, shell).not.toContain(other);
  });

  test('offers nothing that has no effect', (context) => {
    if (!isThere(shell)) context.skip(`no ${shell} on PATH`);
    expect(ask[shell]('etcd-ops restore --max-')).toEqual(['--max-fetchers']);
  });
});

test('bash completes files, and values behind an equals sign', (context) => {
  if (!isThere('bash')) context.skip('no bash on PATH');
  expect(ask.bash('etcd-ops snapshot --cacert c')).toEqual(['ca.crt']);
  expect(ask.bash('etcd-ops list --output=j')).toEqual(['json']);
  expect(ask.bash('etcd-ops list -o ')).toEqual(['table', 'json']);
});

// What zsh then offers is shown by its line editor alone, in a terminal.
test('zsh understands the script and takes it for the completion of etcd-ops', (context) => {
  if (!isThere('zsh')) context.skip('no zsh on PATH');
  expect(
    run('zsh', ['-f', '-c', 'autoload -U compinit; compinit -D -u; source ./zsh; print $_comps[etcd-ops]']),
  ).toEqual(['_etcd_ops']);
});

test.each(SHELLS)('the script for %s knows every command', (shell) => {
  const script = completionScript(shell, COMMANDS);
  for (const { name } of COMMANDS) expect(script).toContain(name);
});
