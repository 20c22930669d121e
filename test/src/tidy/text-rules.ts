import { isTestFile, isTypeScript, type RepositoryFile } from './repository-files.ts';
import type { Rule } from './structure-rules.ts';

interface Finding {
  readonly file: RepositoryFile;
  readonly found: string;
}

function find(files: readonly RepositoryFile[], isRead: (path: string) => boolean, pattern: RegExp): Finding[] {
  return files
    .filter(({ path }) => isRead(path))
    .flatMap((file) => [...file.text.matchAll(pattern)].map((match) => ({ file, found: match[0].trim() })));
}

const isProse = (path: string): boolean => path.endsWith('.md');

/** Vitest refuses it too, but only when the file is among those that run. */
export const noTestRunsAlone: Rule = (files) =>
  find(files, isTestFile, /^[ \t]*(?:it|test|describe|suite)(?:\.\w+)*\.only\b/gm).map(
    ({ file, found }) => `${file.path} holds ${found}, which silences all its other tests`,
  );

/** A test that passes the second time has failed. */
export const noTestIsRetried: Rule = (files) => [
  ...find(files, (path) => /(?:^|\/)vitest\.config\.\w+$/.test(path), /\bretry\s*:(?!\s*0\b)[^,\n}]+/g).map(
    ({ file, found }) => `${file.path} sets ${found}: a flaky test is repaired, not repeated`,
  ),
  ...find(files, isTestFile, /^[ \t]*(?:it|test|describe|suite)(?:\.\w+)*\([^\n]*\{[^\n}]*\bretry\s*:/gm).map(
    ({ file, found }) => `${file.path} retries "${found}": a flaky test is repaired, not repeated`,
  ),
];

/** Lines move, names stay. */
export const proseCitesNamesNotLines: Rule = (files) =>
  find(
    files,
    isProse,
    /[\w/-]+\.(?:[cm]?[jt]sx?|go|rs|zig|sh|proto|ya?ml|json)(?::\d+\b|#L\d+|[^\n.]{0,12}\blines? \d+)/g,
  ).map(({ file, found }) => `${file.path} cites "${found}"; name the symbol, lines move`);

/** The host is the user's business: a mirror, a proxy, a vendor's copy. Also in the lockfile, where it would be frozen. */
export const noPackageServerIsNamed: Rule = (files) =>
  find(
    files,
    () => true,
    /\bregistry\.(?:npm|yarn)\w*\.\w+|\bregistry\.(?:org|com|dev)\b|\bnpm\.pkg\.github\.\w+|\b(?:deb|ftp|snapshot|security)\.debian\.org|\barchive\.ubuntu\.\w+|\bproxy\.golang\.org/g,
  ).map(({ file, found }) => `${file.path} names the package server ${found}`);

/** The paths of one developer's machine mean nothing on another. */
export const noMachineIsNamed: Rule = (files) =>
  find(
    files,
    () => true,
    /(?<![\w.-])\/(?:work\/(?:main|shared)|root\/|home\/(?!node\b|nonroot\b|etcd)\w+|Users\/\w+)/g,
  ).map(({ file, found }) => `${file.path} names ${found}, a path of one machine`);

export const disabledLintRulesSayWhy: Rule = (files) =>
  find(files, isTypeScript, /(?:\/\/|\/\*)[ \t]*(?:oxlint|eslint)-disable(?![^\n]* -- \S)[^\n]*/g).map(
    ({ file, found }) => `${file.path}: "${found}" gives no reason; add " -- why"`,
  );
