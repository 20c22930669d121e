import { resolve } from 'node:path';
import { statSync } from 'node:fs';
import { EtcdOpsError } from '@etcd-ops/core';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { renderTable } from '../output/table.ts';
import { asDiskFailure } from './disk-failure.ts';
import { inspectDirectory } from './inspect-directory.ts';
import { inspectFile } from './inspect-file.ts';
import type { Inspection } from './inspection.ts';
import { inspectionDocument, inspectionRows } from './render-inspection.ts';

export interface InspectOptions extends IdentityOptions {
  walDir?: string;
  tempDir?: string;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** @throws EtcdOpsError what makes it unsound, after all that is known was printed; STORE_NOT_FOUND, DATA_DIR_IN_USE, DATA_DIR_FOREIGN. */
export async function runInspect(options: InspectOptions, file: string): Promise<void> {
  const path = resolve(file);
  const inspection = await inspectWithProgress(path, options);
  if (options.output === 'json') emitJson(inspectionDocument(path, inspection));
  else emitText(renderTable(['what', inspection.kind], inspectionRows(path, inspection)));
  const [damage] = inspection.damages;
  if (damage !== undefined) throw damage;
}

async function inspectWithProgress(path: string, options: InspectOptions): Promise<Inspection> {
  const { walDir, tempDir, progress } = options;
  const identities = await identitiesOf(options);
  using cancel = cancelOnSignal();
  const line = new ProgressLine(process.stderr, progress);
  const onProgress = (phase: string, done: number, total: number): void => line.update(phase, done, total);
  const context = { signal: cancel.signal, onProgress, tempDir, identities };
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isDirectory && walDir !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: '--wal-dir is for a data directory',
      remedy: 'Leave it away for a file.',
    });
  }
  try {
    return isDirectory ? await inspectDirectory(path, { ...context, walDir }) : await inspectFile(path, context);
  } catch (error) {
    throw asDiskFailure(error, path);
  } finally {
    line.clear();
  }
}
