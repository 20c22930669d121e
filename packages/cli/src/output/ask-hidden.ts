import { createInterface } from 'node:readline/promises';
import { Writable, type Readable } from 'node:stream';
import { EtcdOpsError } from '@etcd-ops/core';

export interface Conversation {
  input: Readable & { isTTY?: boolean };
  output: Writable & { isTTY?: boolean };
}

/**
 * Asks for a line that nobody looking on shall read. Undefined without a terminal: then there is nobody to ask.
 *
 * @throws EtcdOpsError CANCELLED when the terminal was closed or Ctrl-C pressed.
 */
export async function askHidden(question: string, { input, output }: Conversation): Promise<string | undefined> {
  if (input.isTTY !== true || output.isTTY !== true) return undefined;
  output.write(question);
  // What readline echoes goes here.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input, output: nowhere, terminal: true });
  try {
    const ended = new AbortController();
    prompt.once('close', () => ended.abort());
    return await prompt.question('', { signal: ended.signal });
  } catch (error) {
    throw new EtcdOpsError('CANCELLED', { message: 'Nothing was done: no password was given', cause: error });
  } finally {
    prompt.close();
    output.write('\n');
  }
}
