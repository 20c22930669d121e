import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A text file of the repository; the path is relative to its root and has forward slashes. */
export interface RepositoryFile {
  readonly path: string;
  readonly text: string;
}

const skippedDirectories = new Set(['.git', '.tools', '.turbo', 'node_modules', 'dist', 'coverage']);
const textBytesMax = 1024 * 1024;

/** Every text file, committed or not, so that a rule is met before the commit that breaks it. */
export function readRepository(root: string): RepositoryFile[] {
  return readDirectory(root, '').toSorted((left, right) => (left.path < right.path ? -1 : 1));
}

function readDirectory(root: string, directory: string): RepositoryFile[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry): RepositoryFile[] => {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) return skippedDirectories.has(entry.name) ? [] : readDirectory(root, path);
    if (!entry.isFile() || statSync(join(root, path)).size > textBytesMax) return [];
    const text = readFileSync(join(root, path), 'utf8');
    return text.includes('\0') ? [] : [{ path, text }];
  });
}

/** `packages/core` of `packages/core/src/index.ts`; undefined for files that belong to the root. */
export function packageDirectory(path: string): string | undefined {
  return /^(?:(?:packages|services)\/[^/]+|test|bench)(?=\/)/.exec(path)?.[0];
}

export function isTestFile(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

export function isTypeScript(path: string): boolean {
  return path.endsWith('.ts');
}
