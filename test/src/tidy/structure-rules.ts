import { posix } from 'node:path';
import { importsOf } from './imports.ts';
import { isTestFile, isTypeScript, packageDirectory, type RepositoryFile } from './repository-files.ts';

/** A rule reads the repository and names what breaks it, one sentence each. */
export type Rule = (files: readonly RepositoryFile[]) => string[];

const scope = '@etcd-ops/';
const linesMax = 400;

/** What each package may import of the house; arrows point downward only, and a service never imports a service. */
const belowPackages: Readonly<Record<string, readonly string[]>> = {
  core: [],
  'etcd-client': ['core'],
  bus: ['core'],
  'service-kit': ['core', 'bus', 'etcd-client'],
  'local-servers': [],
  'test-kit': ['core', 'local-servers'],
};
/** Tests of these cannot use test-kit, which stands on them: the circle would stop turbo. Theirs with servers live in test/src. */
const belowTestKit = belowPackages['test-kit'] ?? [];
const belowServices = ['core', 'bus', 'etcd-client', 'service-kit'];

export const filesStayShort: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path) && !isTestFile(path))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0) }))
    .filter(({ lines }) => lines > linesMax)
    .map(({ path, lines }) => `${path} has ${lines} lines, more than ${linesMax}: it holds more than one idea`);

/** One door per package: `exports` names src/index.ts alone, and that file lists names one by one. */
export const packagesHaveOneDoor: Rule = (files) => {
  const problems: string[] = [];
  for (const { path, text } of files) {
    const directory = packageDirectory(path);
    if (directory === undefined) continue;
    if (path === `${directory}/package.json`) {
      const manifest = JSON.parse(text) as { exports?: unknown };
      if (JSON.stringify(manifest.exports) !== '{".":"./src/index.ts"}') {
        problems.push(`${path} must export exactly { ".": "./src/index.ts" }`);
      }
      if (!files.some((file) => file.path === `${directory}/src/index.ts`)) {
        problems.push(`${directory} has no src/index.ts`);
      }
    }
    if (path === `${directory}/src/index.ts` && !listsNamesOnly(text)) {
      problems.push(`${path} must hold nothing but "export { name } from './file.ts'"`);
    }
    if (isTypeScript(path) && /^[ \t]*export\s+default\b/m.test(text)) {
      problems.push(`${path} has a default export; exports have names`);
    }
    if (isTypeScript(path) && /^[ \t]*export\s+(?:type\s+)?\*/m.test(text)) {
      problems.push(`${path} exports with a star; exports are listed one by one`);
    }
  }
  return problems;
};

function listsNamesOnly(text: string): boolean {
  return (
    text
      .replaceAll(/\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gm, '')
      .replaceAll(/export\s+(?:type\s+)?\{[^}]*\}(?:\s*from\s*'[^']+')?;/g, '')
      .trim() === ''
  );
}

export const arrowsPointDown: Rule = (files) => {
  const serviceNames = files.flatMap(({ path }) => /^services\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? []);
  return files.flatMap(({ path, text }) => {
    const directory = packageDirectory(path);
    const allowed = directory === undefined ? undefined : allowedImports(directory, serviceNames);
    if (directory === undefined || allowed === undefined) return [];
    const own = posix.basename(directory);
    const mayTestWith = (name: string): boolean =>
      name === 'local-servers' || (name === 'test-kit' && !belowTestKit.includes(own));
    if (path === `${directory}/package.json`) {
      return declared(text)
        .filter(({ name, development }) => !allowed.includes(name) && !(development && mayTestWith(name)))
        .map(({ name }) => `${path} depends on ${scope}${name}, which does not lie below ${own}`);
    }
    if (!isTypeScript(path)) return [];
    return importsOf(text)
      .filter((name) => name.startsWith(scope))
      .map((name) => name.slice(scope.length))
      .flatMap((name) => {
        if (name === own) return `${path} imports its own package by name; inside a package import the file`;
        if (name.includes('/')) return `${path} imports ${scope}${name}; a package has one door, its index.ts`;
        if (allowed.includes(name) || (mayTestWith(name) && isTestFile(path))) return [];
        return `${path} imports ${scope}${name}, which does not lie below ${own}`;
      });
  });
};

/** Undefined: may import everything, for nothing imports it. */
function allowedImports(directory: string, serviceNames: readonly string[]): readonly string[] | undefined {
  if (directory.startsWith('services/')) return belowServices;
  if (!directory.startsWith('packages/')) return undefined;
  const name = posix.basename(directory);
  return name === 'cli' ? [...belowServices, 'local-servers', ...serviceNames] : (belowPackages[name] ?? []);
}

function declared(manifestText: string): { name: string; development: boolean }[] {
  const manifest = JSON.parse(manifestText) as Record<string, Record<string, string> | undefined>;
  return ['dependencies', 'peerDependencies', 'optionalDependencies', 'devDependencies'].flatMap((field) =>
    Object.keys(manifest[field] ?? {})
      .filter((name) => name.startsWith(scope))
      .map((name) => ({ name: name.slice(scope.length), development: field === 'devDependencies' })),
  );
}

export const relativeImportsStayInside: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const directory = packageDirectory(path);
    if (directory === undefined || !isTypeScript(path)) return [];
    return importsOf(text)
      .filter((name) => name.startsWith('.'))
      .filter((name) => !posix.join(posix.dirname(path), name).startsWith(`${directory}/`))
      .map((name) => `${path} imports ${name}, which leaves ${directory}; import the package by its name`);
  });

/** A test that no project of vitest.config.ts includes would never run, and nobody would notice. */
export const testsAreFound: Rule = (files) =>
  files
    .filter(({ path }) => /\.(?:test|spec|integration|e2e|chaos)\.[cm]?[jt]sx?$/.test(path))
    .filter(({ path }) => !/^(?:(?:(?:packages|services)\/[^/]+|test|bench)\/src|scripts)\/.+\.test\.ts$/.test(path))
    .map(({ path }) => `${path} is never run: tests are src/**/name[.integration|.e2e|.chaos].test.ts of a package`);
