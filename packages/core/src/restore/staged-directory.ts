import { readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { brokenName } from '../ensure/broken-name.ts';

/** Its presence says that a working directory is one of ours, whatever else is in it. */
const MARKER = 'etcd-ops-restore.json';
const CONTENT = 'content';
/** A volume's own; it does not make a directory occupied. */
const IGNORED_ENTRIES = ['lost+found'];
/** Targets that restores of this process work on. */
const activeTargets = new Set<string>();

/** What the marker of a working directory says: who works here, and what `note` added. */
export interface StageMarker {
  tool: 'etcd-ops';
  host: string;
  pid: number;
  processStart: string | undefined;
  note?: Record<string, string | number>;
}

/**
 * A directory that appears whole or not at all. It is built in `content`; `publish` makes it the target in one rename.
 *
 * - A target that does not exist is built in `<target>.part` and renamed. An existing empty one (a mounted volume, say)
 *   stays the directory it is: it is built in `<target>/.etcd-ops.part`, and the one entry of `content` is renamed into it.
 * - A working directory that a killed restore left behind is removed; one that is not ours or in use is refused.
 */
export class StagedDirectory {
  readonly target: string;
  readonly content: string;
  readonly #work: string;
  readonly #inside: boolean;
  /** Directories above the target that were made for it, the lowest first. */
  readonly #madeParents: string[];
  #published: string | undefined;

  private constructor(target: string, inside: boolean, madeParents: string[]) {
    this.target = target;
    this.#inside = inside;
    this.#work = workOf(target, inside);
    this.content = join(this.#work, CONTENT);
    this.#madeParents = madeParents;
  }

  /**
   * `onStale` is called with the marker of a restore that was killed here, before its remains are removed.
   * @throws EtcdOpsError TARGET_OCCUPIED when the target holds data, or another restore works on it.
   */
  static async prepare(
    path: string,
    onStale: (marker: Partial<StageMarker>) => Promise<void> = async () => undefined,
  ): Promise<StagedDirectory> {
    const target = resolve(path);
    if (activeTargets.has(target)) throw occupied(target, 'another restore of this process works on it');
    activeTargets.add(target);
    let stage: StagedDirectory | undefined;
    try {
      const inside = await isEmptyDirectory(target);
      if (inside) await removeStale(workOf(target, true), onStale);
      await removeStale(workOf(target, false), onStale, { foreignIsFine: inside });
      const madeParents = inside ? [] : await makeParents(target);
      stage = new StagedDirectory(target, inside, madeParents);
      await mkdir(stage.#work, { mode: 0o700 });
      await stage.note();
      await mkdir(stage.content, { mode: 0o700 });
      return stage;
    } catch (error) {
      await stage?.close();
      activeTargets.delete(target);
      throw error;
    }
  }

  /** Writes the marker, with facts that a later run needs should this one be killed. */
  async note(note?: Record<string, string | number>): Promise<void> {
    const marker: StageMarker = {
      tool: 'etcd-ops',
      host: hostname(),
      pid: process.pid,
      processStart: processStart(process.pid),
      ...(note === undefined ? {} : { note }),
    };
    await writeFileAtomic(join(this.#work, MARKER), Buffer.from(`${JSON.stringify(marker)}\n`));
  }

  /** Makes `content` the target, durably. Everything in it must be on disk. */
  async publish(): Promise<void> {
    const entries = await readdir(this.content);
    let from = this.content;
    let to = this.target;
    if (this.#inside) {
      if (entries.length !== 1) {
        throw new Error(`${this.content} holds ${entries.length} entries; one rename publishes one`);
      }
      from = join(this.content, entries[0]!);
      to = join(this.target, entries[0]!);
    }
    // rename(2) would replace a file, or a directory that became empty: somebody else's.
    if ((await entryType(to)) !== undefined) {
      throw occupied(this.target, `${basename(to)} appeared while the restore ran`);
    }
    await rename(from, to);
    this.#published = to;
    await syncDirectory(dirname(to));
  }

  /** Removes the working directory: after `publish` this leaves the target, before it nothing. */
  async close(): Promise<void> {
    await removeWork(this.#work);
    if (this.#published === undefined) {
      for (const parent of this.#madeParents) await rmdir(parent).catch(() => undefined);
    }
    await syncDirectory(dirname(this.#work)).catch(() => undefined);
    activeTargets.delete(this.target);
  }

  /** Undoes `publish` too. */
  async discard(): Promise<void> {
    if (this.#published !== undefined) await rm(this.#published, { recursive: true, force: true });
    this.#published = undefined;
    await this.close();
  }
}

function workOf(target: string, inside: boolean): string {
  return inside ? join(target, '.etcd-ops.part') : `${target}.part`;
}

/** False when there is nothing; refuses what is there and not empty. */
async function isEmptyDirectory(target: string): Promise<boolean> {
  const type = await entryType(target);
  if (type === undefined) return false;
  if (type === 'other') throw occupied(target, 'it is not a directory');
  if (type === 'dangling') throw occupied(target, 'it is a link to something that is not there');
  const ignored = [...IGNORED_ENTRIES, basename(workOf(target, true))];
  const held = readdirSync(target).filter((name) => !ignored.includes(name) && !brokenName.test(name));
  if (held.length > 0) {
    throw occupied(target, `it holds '${held[0]}'${held.length > 1 ? ` and ${held.length - 1} more` : ''}`);
  }
  return true;
}

async function removeStale(
  work: string,
  onStale: (marker: Partial<StageMarker>) => Promise<void>,
  options: { foreignIsFine?: boolean } = {},
): Promise<void> {
  const type = await entryType(work);
  if (type === undefined) return;
  const entries = type === 'directory' ? await readdir(work) : undefined;
  // Killed between mkdir and marker: empty, or with the marker's temporary file.
  const ours = entries?.every((name) => name.startsWith(MARKER)) === true || entries?.includes(MARKER) === true;
  if (!ours) {
    if (options.foreignIsFine === true) return;
    throw occupied(work, 'it was not made by a restore of etcd-ops');
  }
  const marker = await readMarker(work);
  if (marker.host === hostname() && marker.pid !== process.pid && marker.pid !== undefined) {
    const start = processStart(marker.pid);
    if (start !== undefined && start === marker.processStart) {
      throw occupied(work, `the process ${marker.pid} restores into it`);
    }
  }
  await onStale(marker);
  await removeWork(work);
}

/** The marker goes last, so that a kill in between leaves something that is known as ours. */
async function removeWork(work: string): Promise<void> {
  for (const name of await readdir(work).catch(() => [])) {
    if (name !== MARKER) await rm(join(work, name), { recursive: true, force: true });
  }
  await rm(work, { recursive: true, force: true });
}

async function readMarker(work: string): Promise<Partial<StageMarker>> {
  try {
    const value: unknown = JSON.parse(await readFile(join(work, MARKER), 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

async function makeParents(target: string): Promise<string[]> {
  const parent = dirname(target);
  const first = await mkdir(parent, { recursive: true, mode: 0o700 });
  if (first === undefined) return [];
  const made: string[] = [];
  for (let path = parent; path.length >= first.length; path = dirname(path)) made.push(path);
  for (const path of made) await syncDirectory(dirname(path));
  return made;
}

async function entryType(path: string): Promise<'directory' | 'dangling' | 'other' | undefined> {
  let isLink = false;
  try {
    const found = await lstat(path);
    if (!found.isSymbolicLink()) return found.isDirectory() ? 'directory' : 'other';
    isLink = true;
    // A link to an empty directory is a fine target; a dangling one is not.
    readdirSync(path);
    return 'directory';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return isLink ? 'dangling' : undefined;
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return 'other';
    throw error;
  }
}

/** When a process began, in clock ticks since boot: tells a living process from another one with its old id. */
function processStart(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function occupied(path: string, rule: string): EtcdOpsError {
  return new EtcdOpsError('TARGET_OCCUPIED', { message: `${path}: ${rule}`, facts: { path } });
}
