import { defineConfig } from 'vitest/config';
import { TotalsReporter } from './scripts/totals-reporter.ts';

interface World {
  readonly name: string;
  readonly include: string[];
  readonly exclude?: string[];
  readonly timeoutMs: number;
  readonly workersMax: number | string;
}

const tests = (suffix: string): string[] => [
  `{packages,services}/*/src/**/*${suffix}`,
  `{test,bench}/src/**/*${suffix}`,
  `scripts/**/*${suffix}`,
];

/** The suffix of a file picks its world. Worlds run one after another, so that servers under test have the machine to themselves. */
const worlds: readonly World[] = [
  {
    name: 'unit',
    include: tests('.test.ts'),
    exclude: ['**/*.{integration,e2e,chaos}.test.ts'],
    timeoutMs: 120_000,
    workersMax: '100%',
  },
  { name: 'integration', include: tests('.integration.test.ts'), timeoutMs: 240_000, workersMax: 2 },
  { name: 'e2e', include: tests('.e2e.test.ts'), timeoutMs: 360_000, workersMax: 2 },
  { name: 'chaos', include: tests('.chaos.test.ts'), timeoutMs: 240_000, workersMax: 1 },
];

const reportDirectory = process.env['ETCD_OPS_TEST_REPORT_DIR'];

export default defineConfig({
  test: {
    pool: 'forks',
    allowOnly: false,
    passWithNoTests: false,
    teardownTimeout: 30_000,
    reporters: reportDirectory === undefined ? ['default'] : ['default', new TotalsReporter(reportDirectory)],
    projects: worlds.map(({ name, include, exclude = [], timeoutMs, workersMax }, index) => ({
      extends: true as const,
      test: {
        name,
        include,
        exclude: ['**/node_modules/**', ...exclude],
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        maxWorkers: workersMax,
        sequence: { groupOrder: index },
      },
    })),
  },
});
