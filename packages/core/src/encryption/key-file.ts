import { readFile } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';

const FILE_BYTES_MAX = 256 * 1024;

/**
 * The text of a file of keys. `what` is for people: `identity file`.
 * @throws EtcdOpsError CONFIG_INVALID when it cannot be read, or is too large to be one.
 */
export async function readKeyFile(path: string, what: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    return bytes.toString('utf8');
  } catch (cause) {
    throw invalidKeys(`The ${what} ${path} cannot be read`, 'Check the path, and who may read it.', cause);
  }
}

export function invalidKeys(message: string, remedy?: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', { message, cause, ...(remedy === undefined ? {} : { remedy }) });
}
