import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_PREFIX } from '@etcd-ops/service-kit';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const RULES = join(ROOT, 'deploy', 'prometheus', 'alerts.yml');
const DASHBOARDS = join(ROOT, 'deploy', 'grafana', 'dashboards');

/** Every metric that the sources make, by the name that Prometheus knows it by. */
function metricsOfTheCode(): Set<string> {
  const folders = ['packages', 'services'].flatMap((top) =>
    readdirSync(join(ROOT, top)).map((name) => join(ROOT, top, name, 'src')),
  );
  const names = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) => {
        const text = readFileSync(join(folder, file), 'utf8');
        return [...text.matchAll(/\.(?:counter|gauge|histogram)\(\{\s*name: '([a-z_]+)'/g)].map(([, name]) => name!);
      }),
  );
  return new Set(names.map((name) => METRICS_PREFIX + name));
}

const known = metricsOfTheCode();

function unknownIn(text: string): string[] {
  const used = [...text.matchAll(/\betcdops_[a-z_]+\b/g)].map(([name]) => name);
  return used.filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|count|sum)$/, '')));
}

test('the metrics of the code are found', () => {
  expect(known.size).toBeGreaterThan(30);
  expect(unknownIn('rate(etcdops_nobody_made_this[5m])')).toEqual(['etcdops_nobody_made_this']);
});

test('alert rules name metrics that exist, and runbooks that exist', () => {
  const text = readFileSync(RULES, 'utf8');
  expect(unknownIn(text)).toEqual([]);
  const { groups } = parse(text) as { groups: { rules: { alert: string; annotations: Record<string, string> }[] }[] };
  const guide = readFileSync(join(ROOT, 'docs', 'OPERATIONS.md'), 'utf8');
  const anchors = [...guide.matchAll(/^## (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
    const [file, anchor] = (annotations['runbook_url'] ?? '').split('#');
    expect(file, alert).toBe('docs/OPERATIONS.md');
    expect(anchors, alert).toContain(anchor);
  }
});

test.for(readdirSync(DASHBOARDS))('the dashboard %s names metrics that exist', (name) => {
  const text = readFileSync(join(DASHBOARDS, name), 'utf8');
  expect(unknownIn(text)).toEqual([]);
  const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
  expect(panels.every(({ targets }) => targets.every(({ expr }) => expr !== ''))).toBe(true);
});

test('promtool tries the rules', (context) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) return context.skip('no promtool here');
  const tests = join(ROOT, 'deploy', 'prometheus', 'tests', 'alerts.test.yml');
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', tests], { encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
});
