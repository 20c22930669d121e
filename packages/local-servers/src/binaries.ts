import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The programs that tests run; how each is asked for its version. */
const VERSION_ARGUMENTS = {
  etcd: ['--version'],
  etcdctl: ['version'],
  etcdutl: ['version'],
  'nats-server': ['--version'],
  age: ['--version'],
  'age-keygen': ['--version'],
  versitygw: ['--version'],
  promtool: ['--version'],
  prometheus: ['--version'],
  nats: ['--version'],
} as const satisfies Record<string, readonly string[]>;

export type BinaryName = keyof typeof VERSION_ARGUMENTS;

/** A server was asked for that is not on this machine. */
export class MissingBinaryError extends Error {
  override readonly name = 'MissingBinaryError';
}

export interface Binary {
  path: string;
  /** `3.5.16`: digits only. */
  version: string;
}

const found = new Map<string, Binary[]>();

/** `$ETCD_OPS_TOOLS_DIR`, else `.tools` of the repository. */
export function toolsDirectory(): string {
  return process.env['ETCD_OPS_TOOLS_DIR'] ?? join(import.meta.dirname, '..', '..', '..', '.tools');
}

/**
 * All programs of that name below the tools directory and on PATH, one per version, oldest first.
 * Those of etcd 3.6 and 3.7, versitygw and nats, which the tests' bootstrap builds where Go is at hand, only `withBuilt`: what a test does that names no
 * version must not depend on whether Go is there.
 */
export function findBinaries(name: BinaryName, { withBuilt = false } = {}): Binary[] {
  const directories = searchedDirectories(withBuilt);
  const cacheKey = `${name}\0${directories.join('\0')}`;
  const known = found.get(cacheKey);
  if (known !== undefined) return known;
  const byVersion = new Map<string, Binary>();
  for (const directory of directories) {
    const path = join(directory, name);
    const version = isExecutable(path) ? askVersion(name, path) : undefined;
    if (version !== undefined && !byVersion.has(version)) byVersion.set(version, { path, version });
  }
  const binaries = [...byVersion.values()].toSorted((left, right) => compareVersions(left.version, right.version));
  found.set(cacheKey, binaries);
  return binaries;
}

/**
 * The path of a program; with `version` (`3.5`, `3.5.16`) the newest that matches, without it the newest of all.
 * Undefined when there is none: tests then skip with the reason of `missingBinary`.
 */
export function findBinary(name: BinaryName, version?: string): string | undefined {
  return newestBinary(name, version)?.path;
}

/** As findBinary, with its version. */
export function newestBinary(name: BinaryName, version?: string): Binary | undefined {
  return findBinaries(name, { withBuilt: version !== undefined }).findLast(
    (binary) => version === undefined || matchesVersion(binary.version, version),
  );
}

/** The versions of etcd that can be started, oldest first; with those that were built (3.6 and 3.7) for what every version must show. */
export function etcdVersions(options?: { withBuilt?: boolean }): string[] {
  return findBinaries('etcd', options).map((binary) => binary.version);
}

/** One version for each way in which etcd writes and answers: what is asked of 3.6 beyond restoring for it, 3.7 answers alike. */
export function distinctEtcdVersions(): string[] {
  return etcdVersions({ withBuilt: true }).filter((version) => !matchesVersion(version, '3.6'));
}

/** The reason to skip a test with. */
export function missingBinary(name: BinaryName, version?: string): string {
  return `no ${name}${version === undefined ? '' : ` ${version}`} below ${toolsDirectory()} or on PATH`;
}

export function matchesVersion(version: string, wanted: string): boolean {
  return version === wanted || version.startsWith(`${wanted}.`);
}

/** Negative when `left` is the older version. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (let part = 0; part < 3; part++) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function searchedDirectories(withBuilt: boolean): string[] {
  const [debRoot, builtRoot] = [join(toolsDirectory(), 'deb'), join(toolsDirectory(), 'built')];
  const built = withBuilt ? listDirectory(builtRoot).map((program) => join(builtRoot, program, 'bin')) : [];
  const suites = listDirectory(debRoot).flatMap((suite) => [
    join(debRoot, suite, 'usr', 'bin'),
    join(debRoot, suite, 'usr', 'sbin'),
  ]);
  return [...suites, ...built, ...(process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')];
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function askVersion(name: BinaryName, path: string): string | undefined {
  try {
    const output = execFileSync(path, VERSION_ARGUMENTS[name], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
    return /(\d+\.\d+\.\d+)/.exec(output)?.[1];
  } catch {
    return undefined;
  }
}
