import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findBinary, missingBinary, MissingBinaryError } from './binaries.ts';
import { eventually } from './eventually.ts';
import { freePorts } from './free-port.ts';
import { spawnGuarded } from './guarded-process.ts';
import { tempDir } from './temp-dir.ts';

export interface LocalS3Gateway extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The path of the real S3 server that the tests' bootstrap builds where Go is at hand. */
export function findVersitygw(): string | undefined {
  return findBinary('versitygw', '1');
}

/**
 * Starts Versity's S3 gateway on a folder of its own, with these buckets.
 * @throws MissingBinaryError
 */
export async function startVersitygw(buckets: readonly string[]): Promise<LocalS3Gateway> {
  const program = findVersitygw();
  if (program === undefined) throw new MissingBinaryError(missingBinary('versitygw', '1'));
  const directory = tempDir();
  for (const bucket of buckets) await mkdir(directory.file('root', bucket), { recursive: true });
  const [accessKeyId, secretAccessKey] = ['AKIDOFTHEGATEWAY', 'the/secret+of/the=gateway'];
  const [port] = await freePorts(1);
  const server = await spawnGuarded(program, ['--port', `127.0.0.1:${port}`, 'posix', join(directory.path, 'root')], {
    cwd: directory.path,
    env: { ROOT_ACCESS_KEY_ID: accessKeyId, ROOT_SECRET_ACCESS_KEY: secretAccessKey, VGW_REGION: 'us-east-1' },
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await directory.remove();
  };
  try {
    await eventually(
      async () => {
        if (!server.running) throw new Error(server.log());
        await canConnect(port!);
      },
      { timeoutMs: 60_000 },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint: `http://127.0.0.1:${port}`, accessKeyId, secretAccessKey, [Symbol.asyncDispose]: stop };
}

async function canConnect(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
