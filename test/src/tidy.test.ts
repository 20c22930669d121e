import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf } from './tidy/imports.ts';
import { readRepository, type RepositoryFile } from './tidy/repository-files.ts';
import {
  arrowsPointDown,
  filesStayShort,
  packagesHaveOneDoor,
  relativeImportsStayInside,
  testsAreFound,
  type Rule,
} from './tidy/structure-rules.ts';
import {
  disabledLintRulesSayWhy,
  noMachineIsNamed,
  noPackageServerIsNamed,
  noTestIsRetried,
  noTestRunsAlone,
  proseCitesNamesNotLines,
} from './tidy/text-rules.ts';

const file = (path: string, text = ''): RepositoryFile => ({ path, text });
const source = (path: string, ...lines: string[]): RepositoryFile => file(path, `${lines.join('\n')}\n`);
const manifest = (directory: string, fields: object = {}): RepositoryFile =>
  file(`${directory}/package.json`, JSON.stringify({ exports: { '.': './src/index.ts' }, ...fields }));
/** Samples are put together from pieces, or this file would break the rules that it tests. */
const joined = (...pieces: string[]): string => pieces.join('');

interface RuleCase {
  readonly rule: Rule;
  readonly good: readonly RepositoryFile[];
  /** Each sample breaks the rule by itself. */
  readonly bad: readonly (readonly RepositoryFile[])[];
}

const services = [manifest('services/watcher'), manifest('services/uploader')];

const rules: Readonly<Record<string, RuleCase>> = {
  'source files stay below 401 lines': {
    rule: filesStayShort,
    good: [file('packages/core/src/a.ts', 'x;\n'.repeat(400)), file('packages/core/src/a.test.ts', '\n'.repeat(900))],
    bad: [[file('packages/core/src/a.ts', 'x;\n'.repeat(401))], [file('scripts/a.ts', '\n'.repeat(401))]],
  },
  'a package has one door with names on it': {
    rule: packagesHaveOneDoor,
    good: [
      manifest('packages/core'),
      source('packages/core/src/index.ts', "export { a, type B } from './a.ts';", "export type { C } from './c.ts';"),
      file('vitest.config.ts', 'export default {};'),
    ],
    bad: [
      [manifest('packages/core')],
      [manifest('packages/core', { exports: './src/a.ts' }), source('packages/core/src/index.ts', 'export {};')],
      [
        manifest('packages/core', { exports: { '.': './src/index.ts', './a': './src/a.ts' } }),
        file('packages/core/src/index.ts'),
      ],
      [source('packages/core/src/index.ts', "export * from './a.ts';")],
      [source('packages/core/src/index.ts', 'export const a = 1;')],
      [source('services/watcher/src/a.ts', 'export default 1;')],
      [source('test/src/a.ts', "export * from './b.ts';")],
    ],
  },
  'arrows point down': {
    rule: arrowsPointDown,
    good: [
      ...services,
      source('packages/bus/src/a.ts', "import { a } from '@etcd-ops/core';"),
      source('packages/bus/src/a.test.ts', "import { a } from '@etcd-ops/test-kit';"),
      source('packages/cli/src/a.ts', "import { a } from '@etcd-ops/watcher';"),
      source('packages/core/src/a.test.ts', "import { a } from '@etcd-ops/local-servers';"),
      source('packages/core/src/a/testing/b.ts', "import { a } from '@etcd-ops/local-servers';"),
      source('services/watcher/src/a.ts', "import type { A } from '@etcd-ops/service-kit';"),
      source('test/src/a.ts', "import { a } from '@etcd-ops/cli';"),
      manifest('packages/bus', {
        dependencies: { '@etcd-ops/core': '' },
        devDependencies: { '@etcd-ops/test-kit': '' },
      }),
    ],
    bad: [
      [...services, source('services/watcher/src/a.ts', "import { a } from '@etcd-ops/uploader';")],
      [...services, source('services/watcher/src/a.test.ts', "import { a } from '@etcd-ops/uploader';")],
      [source('packages/core/src/a.ts', 'import {', '  a,', "} from '@etcd-ops/bus';")],
      [source('packages/bus/src/a.ts', "export { a } from '@etcd-ops/etcd-client';")],
      [source('packages/etcd-client/src/a.ts', "const a = await import('@etcd-ops/bus');")],
      [source('packages/service-kit/src/a.ts', "import '@etcd-ops/cli';")],
      [source('packages/cli/src/a.ts', "import { a } from '@etcd-ops/test-kit';")],
      [source('packages/bus/src/a.ts', "import { a } from '@etcd-ops/core/src/a.ts';")],
      [source('packages/core/src/a.ts', "import { a } from '@etcd-ops/core';")],
      [source('packages/new-one/src/a.ts', "import { a } from '@etcd-ops/bus';")],
      [manifest('packages/core', { devDependencies: { '@etcd-ops/bus': '' } })],
      [manifest('packages/core', { devDependencies: { '@etcd-ops/test-kit': '' } })],
      [source('packages/core/src/a.test.ts', "import { a } from '@etcd-ops/test-kit';")],
      [source('packages/core/src/a.ts', "import { a } from '@etcd-ops/local-servers';")],
      [source('packages/local-servers/src/a.ts', "import { a } from '@etcd-ops/core';")],
      [source('packages/test-kit/src/a.ts', "import { a } from '@etcd-ops/bus';")],
      [manifest('packages/bus', { dependencies: { '@etcd-ops/test-kit': '' } })],
      [...services, manifest('services/watcher', { dependencies: { '@etcd-ops/uploader': '' } })],
    ],
  },
  'relative imports stay inside their package': {
    rule: relativeImportsStayInside,
    good: [
      source('packages/core/src/a/b.ts', "import { a } from '../c.ts';"),
      source('vitest.config.ts', "import './scripts/a.ts';"),
    ],
    bad: [
      [source('packages/bus/src/a.ts', "import { a } from '../../core/src/index.ts';")],
      [source('test/src/a.test.ts', "import { a } from '../../packages/core/src/index.ts';")],
      [source('services/watcher/src/a.ts', joined('vi.mock(import', "('../../uploader/src/a.ts'));"))],
    ],
  },
  'every test is found by vitest': {
    rule: testsAreFound,
    good: [
      file('packages/core/src/bolt/a.test.ts'),
      file('services/watcher/src/a.integration.test.ts'),
      file('test/src/a.e2e.test.ts'),
      file('test/src/a.chaos.test.ts'),
      file('scripts/a.test.ts'),
    ],
    bad: [
      [file('packages/core/test/a.test.ts')],
      [file('packages/core/src/a.spec.ts')],
      [file('packages/core/src/a.test.js')],
      [file('packages/core/src/a.integration.ts')],
      [file('test/a.test.ts')],
    ],
  },
  'no test runs alone': {
    rule: noTestRunsAlone,
    good: [source('test/src/a.test.ts', "it('a', () => {});")],
    bad: [
      [source('test/src/a.test.ts', "it.only('a', () => {});")],
      [source('test/src/a.test.ts', "  describe.concurrent.only('a', () => {});")],
    ],
  },
  'no test is retried': {
    rule: noTestIsRetried,
    good: [source('vitest.config.ts', 'retry: 0,'), source('test/src/a.test.ts', 'const options = { retry: policy };')],
    bad: [
      [source('vitest.config.ts', 'retry: 2,')],
      [source('packages/core/vitest.config.ts', 'retry: { count: 2 },')],
      [source('test/src/a.test.ts', "it('a', { retry: 2 }, () => {});")],
    ],
  },
  'prose cites names, not lines': {
    rule: proseCitesNamesNotLines,
    good: [
      file('docs/a.md', 'see `planRestore` in plan.ts; it listens on host.example:2379'),
      file('a.ts', '// a.go:12'),
    ],
    bad: [
      [file('docs/a.md', 'see db.go:670')],
      [file('README.md', 'see src/plan.ts#L12')],
      [file('docs/a.md', 'see `plan.ts`, line 12')],
    ],
  },
  'no package server is named': {
    rule: noPackageServerIsNamed,
    good: [
      file('a.ts', 'registry.metrics(); registry.get(name);'),
      file('deploy/a.yaml', joined('image: registry', '.k8s.io/etcd')),
    ],
    bad: [
      [file('pnpm-lock.yaml', joined('tarball: https://registry', '.npmjs.org/x.tgz'))],
      [file('docs/a.md', joined('registry', '.yarnpkg.com'))],
      [file('deploy/Dockerfile', joined('deb', '.debian.org'))],
    ],
  },
  'no machine is named': {
    rule: noMachineIsNamed,
    good: [
      file('docs/a.md', 'into /var/lib/etcd, packages/work/main, ~/.cache'),
      file('Dockerfile', 'WORKDIR /home/node'),
    ],
    bad: [
      [file('docs/a.md', joined('in /work', '/main/bin'))],
      [file('scripts/a.ts', joined('"/root', '/etcd-ops"'))],
      [file('docs/a.md', joined('(/home', '/anna/etcd)'))],
      [file('docs/a.md', joined('/Users', '/anna'))],
    ],
  },
  'a disabled lint rule says why': {
    rule: disabledLintRulesSayWhy,
    good: [source('a.ts', joined('// oxlint', '-disable-next-line no-console -- the banner is for people'))],
    bad: [
      [source('a.ts', joined('// oxlint', '-disable-next-line no-console'))],
      [source('a.ts', joined('/* eslint', '-disable */'))],
      [source('a.ts', joined('// oxlint', '-disable-line no-console --'))],
    ],
  },
};

const repository = readRepository(join(import.meta.dirname, '..', '..'));

describe('the repository', () => {
  it('was read', () => {
    const paths = repository.map(({ path }) => path);
    expect(paths).toContain('bin/etcd-ops');
    expect(paths).toContain('pnpm-lock.yaml');
    expect(paths).toContain('test/src/tidy.test.ts');
    expect(paths.filter((path) => path.includes('node_modules'))).toEqual([]);
  });

  it.each(Object.entries(rules))('keeps the rule: %s', (_name, { rule }) => {
    expect(rule(repository)).toEqual([]);
  });
});

describe.each(Object.entries(rules))('the rule: %s', (_name, { rule, good, bad }) => {
  it('lets good samples pass', () => {
    expect(rule(good)).toEqual([]);
  });

  it.each(bad.map((files) => ({ files, text: JSON.stringify(files.at(-1)) })))('goes red at $text', ({ files }) => {
    expect(rule(files)).not.toEqual([]);
  });
});

describe('importsOf', () => {
  it('reads every form of import', () => {
    const text = [
      "import 'a';",
      "import b from 'b';",
      "import * as c from 'c';",
      'import {',
      '  d,',
      '  type D,',
      "} from 'd';",
      "import type { E } from 'e';",
      "export { f } from 'f';",
      "export type { G } from 'g';",
      "const h = await import('h');",
      "const i = require('i');",
      'import j, { k } from "j" with { type: \'json\' };',
    ].join('\n');
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'j', 'h', 'i']);
  });

  it('is not fooled by exports and words', () => {
    const text = [
      "export const from = 'a';",
      "// import { a } from 'b'",
      'const text = "import { a } from \'c\'";',
    ].join('\n');
    expect(importsOf(text)).toEqual([]);
  });
});
