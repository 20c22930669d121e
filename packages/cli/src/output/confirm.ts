import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { EtcdOpsError } from '@etcd-ops/core';

export interface ConfirmOptions {
  /** What will happen, as a sentence: `3 fulls and 12 deltas of prod are deleted.` */
  what: string;
  /** The value of --yes. */
  yes: boolean;
  input?: Readable & { isTTY?: boolean };
  output?: Writable & { isTTY?: boolean };
}

/**
 * Asks on the terminal before something is destroyed; anything but `y` or `yes` is a no. Without a terminal nobody could answer: then only
 * `--yes` lets it happen.
 *
 * @throws EtcdOpsError USAGE without a terminal and without --yes; CANCELLED when the answer was no.
 */
export async function confirm({
  what,
  yes,
  input = process.stdin,
  output = process.stderr,
}: ConfirmOptions): Promise<void> {
  if (yes) return;
  if (input.isTTY !== true || output.isTTY !== true) {
    throw new EtcdOpsError('USAGE', {
      message: `This needs a yes: ${what}`,
      cause: new Error('Nobody can be asked, for there is no terminal.'),
      remedy: 'Give --yes when that is meant.',
    });
  }
  const prompt = createInterface({ input, output });
  try {
    const ended = new AbortController();
    // The terminal was closed, or Ctrl-C was pressed: that is no yes.
    prompt.once('close', () => ended.abort());
    const answer = await prompt.question(`${what}\nGo on? [y/N] `, { signal: ended.signal }).catch(() => '');
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    prompt.close();
  }
  throw new EtcdOpsError('CANCELLED', { message: 'Nothing was done: the answer was not yes' });
}
