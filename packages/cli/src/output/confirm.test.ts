import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { confirm } from './confirm.ts';

function terminal(): PassThrough & { isTTY: boolean } {
  return Object.assign(new PassThrough(), { isTTY: true });
}

async function ask(answer: string | undefined): Promise<string> {
  const input = terminal();
  const output = terminal();
  const asked = confirm({ what: 'Three fulls are deleted.', yes: false, input, output });
  if (answer === undefined) input.end();
  else input.write(`${answer}\n`);
  return await asked.then(
    () => 'done',
    (error: unknown) => (error as { code: string }).code,
  );
}

test.each([
  { answer: 'y', outcome: 'done' },
  { answer: 'YES', outcome: 'done' },
  { answer: '', outcome: 'CANCELLED' },
  { answer: 'n', outcome: 'CANCELLED' },
  { answer: 'yesterday', outcome: 'CANCELLED' },
  { answer: undefined, outcome: 'CANCELLED' },
])('the answer $answer is $outcome', async ({ answer, outcome }) => {
  expect(await ask(answer)).toBe(outcome);
});

test('--yes does not ask', async () => {
  const output = terminal();
  await confirm({ what: 'x', yes: true, input: terminal(), output });
  expect(output.read()).toBeNull();
});

test('without a terminal it is refused, and --yes is named', async () => {
  const asked = confirm({ what: 'Three fulls are deleted.', yes: false, input: new PassThrough(), output: terminal() });
  await expect(asked).rejects.toMatchObject({ code: 'USAGE', remedy: expect.stringContaining('--yes') as unknown });
});
