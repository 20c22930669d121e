import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { systemErrorCode } from './local-errors.ts';

/** A certificate bundle is the largest thing that lies among credentials. */
const FILE_BYTES_MAX = 1024 * 1024;
const FILES_MAX = 100;

/** Values by the names that the seed tool and gardener's tools gave them: `accessKeyID`, `region`, ... */
export type CredentialValues = Readonly<Record<string, string>>;

/** A folder with a file for each value, or one file of JSON. */
export type CredentialPlace = { directory: string } | { file: string };

/**
 * Reads credentials from files, and again when one of them has changed: who rotates keys restarts nothing. Newlines around a value, which
 * editors and `echo` leave, do no harm.
 */
export class CredentialFiles {
  readonly #place: CredentialPlace;
  #known: { version: string; values: CredentialValues } | undefined;

  constructor(place: CredentialPlace) {
    this.#place = place;
  }

  /** What people look for it by. */
  get path(): string {
    return 'directory' in this.#place ? this.#place.directory : this.#place.file;
  }

  /** @throws EtcdOpsError STORE_CREDENTIALS when it cannot be read. Its contents are never told. */
  async read(): Promise<CredentialValues> {
    try {
      const paths = 'directory' in this.#place ? await filesOf(this.#place.directory) : [this.#place.file];
      const version = await versionOf(paths);
      if (this.#known?.version !== version) {
        const values = 'directory' in this.#place ? await readFolder(paths) : parseJson(await readText(paths[0]!));
        this.#known = { version, values };
      }
      return this.#known.values;
    } catch (error) {
      if (isEtcdOpsError(error)) throw error;
      throw new EtcdOpsError('STORE_CREDENTIALS', {
        message: `The credentials of the store cannot be read from ${pathOf(error) ?? this.path}${codeOf(error)}`,
        remedy: 'Name an existing folder or file that this user may read.',
      });
    }
  }

  /** @throws EtcdOpsError STORE_CREDENTIALS naming the values that are missing. */
  require(values: CredentialValues, names: readonly string[]): void {
    const missing = names.filter((name) => values[name] === undefined || values[name] === '');
    if (missing.length === 0) return;
    throw new EtcdOpsError('STORE_CREDENTIALS', {
      message: `In ${this.path}, ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
      remedy: `It must hold ${names.join(', ')}.`,
    });
  }
}

/** All values have such names; what else lies in the folder is nobody's business here. */
const VALUE_NAME = /^[A-Za-z]{1,64}$/;

/** Mounted Kubernetes secrets also hold hidden folders (`..data`). */
async function filesOf(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => VALUE_NAME.test(name)).toSorted();
  return names.slice(0, FILES_MAX).map((name) => join(directory, name));
}

/** Changes whenever a file is replaced, also behind a symbolic link, as Kubernetes does it. */
async function versionOf(paths: readonly string[]): Promise<string> {
  const facts = await Promise.all(
    paths.map(async (path) => {
      const { ino, mtimeNs, size } = await stat(path, { bigint: true });
      return `${path}:${ino}:${mtimeNs}:${size}`;
    }),
  );
  return facts.join('\n');
}

async function readFolder(paths: readonly string[]): Promise<CredentialValues> {
  const values: Record<string, string> = {};
  for (const path of paths) {
    const found = await stat(path);
    if (!found.isFile() || found.size > FILE_BYTES_MAX) continue;
    values[path.slice(path.lastIndexOf('/') + 1)] = await readText(path);
  }
  return values;
}

async function readText(path: string): Promise<string> {
  const file: FileHandle = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > FILE_BYTES_MAX) {
      throw new EtcdOpsError('STORE_CREDENTIALS', { message: `${path} is too large for a credential` });
    }
    return (await file.readFile('utf8')).trim();
  } finally {
    await file.close();
  }
}

/** Numbers and booleans are taken as their text; deeper values are left out. The parser's own error would quote the file. */
function parseJson(text: string): CredentialValues {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw notUsable('not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw notUsable('no JSON object');
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value).trim();
  }
  return values;
}

function notUsable(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** The file itself, where the system names it: a folder may hold one that this user may not read. */
function pathOf(error: unknown): string | undefined {
  return error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : undefined;
}

function codeOf(error: unknown): string {
  const code = systemErrorCode(error);
  return code === '' ? '' : ` (${code})`;
}
