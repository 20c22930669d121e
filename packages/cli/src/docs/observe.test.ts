import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary, missingBinary } from '@etcd-ops/local-servers';
import { METRICS_PREFIX, type MetricDescription } from '@etcd-ops/service-kit';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboardFiles, DASHBOARDS } from './dashboards/dashboard-files.ts';
import { declaredMetrics } from './declared-metrics.ts';
import { prometheusRule } from './prometheus-rule.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const RULES = join(ROOT, 'deploy', 'prometheus', 'alerts.yml');
const GRAFANA = join(ROOT, 'deploy', 'grafana', 'dashboards');

interface Rule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

const alerts = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = alerts.groups.flatMap((group) => group.rules);
const metrics = new Map<string, MetricDescription>(
  declaredMetrics().flatMap((one) => one.metrics.map((metric) => [metric.name, metric] as const)),
);
/** Of the target, given by whoever scrapes. */
const TARGET_LABELS = ['instance', 'job'];

/** Everything in an expression that no process would ever tell. */
function wrongIn(expr: string): string[] {
  const wrong: string[] = [];
  const own: MetricDescription[] = [];
  for (const [, name, selector = ''] of expr.matchAll(/\b(etcdops_[a-z_0-9]+)(?:\{([^}]*)\})?/g)) {
    const metric = metrics.get(name!) ?? histogramOf(name!);
    if (metric === undefined) wrong.push(`there is no metric ${name}`);
    else own.push(metric);
    for (const [, label, operator, value] of selector.matchAll(/([a-z_]+)(=~|!=|!~|=)"([^"]*)"/g)) {
      const allowed = metric?.labels[label!];
      if (TARGET_LABELS.includes(label!)) continue;
      if (allowed === undefined) wrong.push(`${name} has no label ${label}`);
      else if (typeof allowed !== 'string' && !value!.startsWith('$')) {
        const values = operator!.includes('~') ? value!.split('|') : [value!];
        wrong.push(...values.filter((one) => !allowed.includes(one)).map((one) => `${name} has no ${label}="${one}"`));
      }
    }
  }
  if (own.length === 0) return wrong;
  const labels = new Set([...TARGET_LABELS, 'le', ...own.flatMap((metric) => Object.keys(metric.labels))]);
  for (const [, list] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
    const named = list!.split(',').map((label) => label.trim());
    wrong.push(...named.filter((label) => label !== '' && !labels.has(label)).map((label) => `nobody has ${label}`));
  }
  return wrong;
}

function histogramOf(name: string): MetricDescription | undefined {
  const metric = metrics.get(name.replace(/_(bucket|count|sum)$/, ''));
  return metric?.type === 'histogram' ? metric : undefined;
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#{2,4} (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('metrics', () => {
  test('keep to the conventions', () => {
    for (const { name, type, help, labels } of metrics.values()) {
      expect(name, name).toMatch(new RegExp(`^${METRICS_PREFIX}[a-z][a-z0-9_]*$`));
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name, name).not.toMatch(/_(ms|milliseconds|minutes|kb|mb)(_|$)/);
      if (type === 'histogram') expect(name, name).toMatch(/_(seconds|bytes)$/);
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
      expect(
        Object.keys(labels).filter((label) => TARGET_LABELS.includes(label)),
        name,
      ).toEqual([]);
    }
  });

  test('that nobody declares are found out', () => {
    expect(wrongIn('rate(etcdops_nobody_made_this[5m])')).toEqual(['there is no metric etcdops_nobody_made_this']);
    expect(wrongIn('sum by (color) (etcdops_tasks_total{result="dea",shape="x"})')).toEqual([
      'etcdops_tasks_total has no result="dea"',
      'etcdops_tasks_total has no label shape',
      'nobody has color',
    ]);
  });
});

describe('alert rules', () => {
  test.each(rules)('$alert names what exists, and a runbook that exists', ({ expr, labels, annotations }) => {
    expect(wrongIn(expr)).toEqual([]);
    expect(['critical', 'warning']).toContain(labels['severity']);
    expect(annotations['summary']).toBeTruthy();
    expect(annotations['description']).toMatch(/\.|\?$/);
    const [file, anchor] = annotations['runbook_url']!.split('#');
    expect(file).toBe('docs/OPERATIONS.md');
    expect(anchorsOf(readFileSync(join(ROOT, file!), 'utf8'))).toContain(anchor);
  });

  test('are all tried', () => {
    const tried = readFileSync(join(ROOT, 'deploy', 'prometheus', 'tests', 'alerts.test.yml'), 'utf8');
    expect(rules.map(({ alert }) => alert).filter((alert) => !tried.includes(`alertname="${alert}"`))).toEqual([]);
  });

  test('are the same for the Prometheus operator', () => {
    const file = join(ROOT, 'deploy', 'kubernetes', 'prometheus-rule.yaml');
    const found: unknown = parse(readFileSync(file, 'utf8'));
    expect(found, 'run: node packages/cli/src/docs/write-docs.ts').toEqual(parse(prometheusRule(alerts)));
  });

  test('do what they are for, as promtool sees it', ({ skip }) => {
    const promtool = findBinary('promtool');
    if (promtool === undefined) return skip(missingBinary('promtool'));
    execFileSync(promtool, ['check', 'rules', RULES]);
    const tests = join(ROOT, 'deploy', 'prometheus', 'tests', 'alerts.test.yml');
    const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', tests], { encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
  }, 60_000);
});

describe('dashboards', () => {
  test('are what the code describes, and no others lie there', () => {
    const files = dashboardFiles();
    expect(readdirSync(GRAFANA).toSorted()).toEqual(Object.keys(files).toSorted());
    for (const [name, text] of Object.entries(files)) {
      const found: unknown = JSON.parse(readFileSync(join(GRAFANA, name), 'utf8'));
      expect(found, `${name}; run: node packages/cli/src/docs/write-docs.ts`).toEqual(JSON.parse(text));
    }
  });

  test.each(Object.entries(DASHBOARDS))('%s names what exists', (_, { variables, rows }) => {
    for (const { metric, name } of variables) {
      expect([...TARGET_LABELS, ...Object.keys(metrics.get(metric)?.labels ?? {})], metric).toContain(name);
    }
    for (const { title, queries, description } of rows.flatMap(({ panels }) => panels)) {
      expect(description, title).toMatch(/\.$/);
      for (const [expr] of queries) expect(wrongIn(expr), title).toEqual([]);
    }
  });

  test.each(Object.entries(dashboardFiles()))('%s has panels that do not overlap and ids of their own', (_, text) => {
    const { panels, uid } = JSON.parse(text) as {
      uid: string;
      panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    expect(uid).toMatch(/^[a-z-]{1,40}$/);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (__, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});
