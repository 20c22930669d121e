import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtcdOpsError } from './errors.ts';

const NAME = /^compact-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MARKER = 'etcd-ops-compact.json';
const HEARTBEAT_MS = 30_000;
/** Of a process that cannot be seen from here: another host or container on the same volume. */
const SILENT_MS_MAX = 60 * 60_000;

/** Who works in a scratch directory. A process id means something only where its namespace and boot are the same. */
interface Marker {
  pid: number;
  start: string;
  place: string;
}

export interface ScratchDirectory extends AsyncDisposable {
  readonly path: string;
}

/**
 * A directory of its own below `root`, gone with the scope. What a killed run left behind is removed first; that of a run which may still
 * live is left alone.
 * @throws EtcdOpsError DISK_FAILED
 */
export async function makeScratch(root: string): Promise<ScratchDirectory> {
  const path = join(resolve(root), `compact-${randomUUID()}`);
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const marker: Marker = { pid: process.pid, start: startOf(process.pid) ?? '', place: placeOfPids() };
    await writeFile(join(path, MARKER), JSON.stringify(marker));
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', {
      message: `The scratch directory ${path} cannot be made`,
      facts: { path },
      cause: error,
    });
  }
  await removeLeftBehind(resolve(root), path);
  const heartbeat = setInterval(() => void beat(path), HEARTBEAT_MS);
  heartbeat.unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat);
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function beat(path: string): Promise<void> {
  const now = new Date();
  await utimes(join(path, MARKER), now, now).catch(() => undefined);
}

/** Nothing of it can fail the run that came to work. */
async function removeLeftBehind(root: string, own: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const path = join(root, name);
    if (!NAME.test(name) || path === own || !(await isLeftBehind(path))) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function isLeftBehind(path: string): Promise<boolean> {
  const marker = join(path, MARKER);
  try {
    const { pid, start, place } = JSON.parse(await readFile(marker, 'utf8')) as Partial<Marker>;
    if (place === placeOfPids() && place !== '' && pid !== undefined) return startOf(pid) !== start;
    return (await stat(marker)).mtimeMs < Date.now() - SILENT_MS_MAX;
  } catch {
    // Without a marker it is one that was killed in its first moment, or whose marker is being written now.
    const made = await stat(path).catch(() => undefined);
    return made !== undefined && made.mtimeMs < Date.now() - SILENT_MS_MAX;
  }
}

/** When a process began, in clock ticks since boot; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Where process ids are ours to compare: this boot and this namespace; '' where that cannot be known. */
function placeOfPids(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
