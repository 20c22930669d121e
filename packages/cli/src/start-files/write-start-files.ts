import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtcdOpsError } from '@etcd-ops/core';
import { fileName } from '../restore/member-directories.ts';
import { renderConfig, renderEnvironment, renderPod, renderUnit } from './render.ts';
import type { MemberStart } from './start-plan.ts';

export interface StartFiles {
  name: string;
  directory: string;
  files: string[];
}

/**
 * Writes what each member is started with below `<directory>/<name>/`: a systemd unit with its environment file, a configuration file,
 * a static pod. An existing file is never replaced.
 * @throws EtcdOpsError TARGET_OCCUPIED, DISK_FAILED.
 */
export async function writeStartFiles(
  starts: readonly MemberStart[],
  options: { directory: string; image?: string | undefined },
): Promise<StartFiles[]> {
  const written: StartFiles[] = [];
  for (const start of starts) {
    const directory = join(resolve(options.directory), fileName(start.name));
    const image = options.image ?? `etcd:${start.etcdVersion}`;
    const files = {
      'etcd.service': renderUnit(start),
      'etcd.env': renderEnvironment(start),
      'etcd.conf.yml': renderConfig(start),
      'etcd-pod.yaml': renderPod(start, image),
    };
    for (const [name, text] of Object.entries(files)) await writeNew(directory, name, text);
    written.push({ name: start.name, directory, files: Object.keys(files) });
  }
  return written;
}

async function writeNew(directory: string, name: string, text: string): Promise<void> {
  const path = join(directory, name);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new EtcdOpsError('TARGET_OCCUPIED', {
        message: `${path} is there already`,
        remedy: 'Name another directory with --start-files; nothing is replaced.',
      });
    }
    throw new EtcdOpsError('DISK_FAILED', { message: `${path} cannot be written`, cause: error });
  }
}
