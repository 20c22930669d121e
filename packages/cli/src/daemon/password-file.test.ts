import { existsSync, readFileSync, statSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Conversation } from '../output/ask-hidden.ts';
import { passwordFileOf } from './password-file.ts';

function conversation(isTTY: boolean): Conversation & { output: PassThrough } {
  return {
    input: Object.assign(new PassThrough(), { isTTY }),
    output: Object.assign(new PassThrough(), { isTTY }),
  };
}

test.each([
  [{ etcdUsername: 'root:hunter2' }, 'root', 'hunter2'],
  [{ etcdUsername: 'root:with:colons' }, 'root', 'with:colons'],
  [{ etcdUsername: 'root', etcdPassword: 'hunter2' }, 'root', 'hunter2'],
  // As etcdctl has it: with --password, all of --user is the name.
  [{ etcdUsername: 'a:b', etcdPassword: 'hunter2' }, 'a:b', 'hunter2'],
])('%j is the user %s with the password %s, in a file that ends with the scope', async (given, name, password) => {
  let path: string | undefined;
  {
    await using made = await passwordFileOf(given, conversation(false));
    path = made.options.etcdPasswordFile;
    expect(made.options.etcdUsername).toBe(name);
    expect(readFileSync(path!, 'utf8')).toBe(password);
    expect(statSync(path!).mode & 0o777).toBe(0o600);
  }
  expect(existsSync(path!)).toBe(false);
});

test('a password file is used as it is, and two passwords are refused', async () => {
  expect((await passwordFileOf({ etcdUsername: 'a:b', etcdPasswordFile: '/f' }, conversation(false))).options).toEqual(
    {},
  );
  await expect(
    passwordFileOf({ etcdPassword: 'x', etcdPasswordFile: '/f' }, conversation(false)),
  ).rejects.toMatchObject({ code: 'USAGE' });
});

test('a user without a password is asked for it on a terminal, and what is typed is not shown', async () => {
  const terminal = conversation(true);
  const asked = passwordFileOf({ etcdUsername: 'root' }, terminal);
  (terminal.input as PassThrough).write('hunter2\r');
  await using made = await asked;
  expect(readFileSync(made.options.etcdPasswordFile!, 'utf8')).toBe('hunter2');
  const shown = String(terminal.output.read());
  expect(shown).toContain('root');
  expect(shown).not.toContain('hunter2');
});

test('without a terminal nobody is asked', async () => {
  expect((await passwordFileOf({ etcdUsername: 'root' }, conversation(false))).options).toEqual({});
});
