import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary, missingBinary } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

interface ComposeService {
  image?: string;
  command?: string[];
  profiles?: string[];
  volumes?: string[];
}
const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, ComposeService>;
};

/** Where the files of the repository are in a container. */
function mountsOf(service: string): Map<string, string> {
  const mounts = (services[service]?.volumes ?? []).map((volume) => volume.split(':'));
  return new Map(mounts.filter(([from]) => from?.startsWith('./')).map(([from, to]) => [to!, from!]));
}

describe('the profile `observe` of compose', () => {
  test('scrapes every service, at the port that the image serves', () => {
    const { rule_files: rules, scrape_configs: jobs } = parse(read('deploy', 'prometheus', 'prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const running = Object.entries(services).filter(([, { command }]) => command?.[0] === 'service');
    const [job] = jobs;
    expect(job!.job_name).toBe('etcd-ops');
    expect(job!.dns_sd_configs[0]!.names.toSorted()).toEqual(running.map(([name]) => name).toSorted());
    const [, port] = /ETCD_OPS_HTTP_PORT=(\d+)/.exec(read('deploy', 'Dockerfile'))!;
    expect(job!.dns_sd_configs[0]!.port).toBe(Number(port));
    const folder = mountsOf('prometheus').get('/etc/prometheus')!;
    for (const rule of rules) expect(existsSync(join(ROOT, folder, rule)), rule).toBe(true);
  });

  test('shows the dashboards with the data source that they are provisioned with', () => {
    const mounts = mountsOf('grafana');
    const provisioning = mounts.get('/etc/grafana/provisioning')!;
    const { datasources } = parse(read(provisioning, 'datasources', 'prometheus.yaml')) as {
      datasources: { uid: string; type: string; url: string; isDefault: boolean }[];
    };
    expect(datasources).toMatchObject([{ type: 'prometheus', isDefault: true, url: 'http://prometheus:9090' }]);
    const { providers } = parse(read(provisioning, 'dashboards', 'etcd-ops.yaml')) as {
      providers: { type: string; options: { path: string } }[];
    };
    const folder = mounts.get(providers[0]!.options.path)!;
    const names = readdirSync(join(ROOT, folder));
    expect(names.length).toBeGreaterThan(2);
    const uids = names.map((name) => checkDashboard(JSON.parse(read(folder, name)) as Dashboard, name));
    expect(new Set(uids).size).toBe(names.length);
    expect(services['grafana']?.profiles).toEqual(['observe']);
    expect(services['prometheus']?.profiles).toEqual(['observe']);
  });

  test('is a configuration that Prometheus takes', (context) => {
    const promtool = findBinary('promtool');
    if (promtool === undefined) return context.skip(missingBinary('promtool'));
    const checked = spawnSync(promtool, ['check', 'config', join(ROOT, 'deploy', 'prometheus', 'prometheus.yml')], {
      encoding: 'utf8',
    });
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
    expect(checked.stdout).toContain('1 rule files found');
  });

  test('is a project that compose takes, with every profile', (context) => {
    if (spawnSync('docker', ['compose', 'version']).status !== 0) return context.skip('no docker compose here');
    const profiles = ['--profile', 'observe', '--profile', 'tools'];
    const text = execFileSync('docker', ['compose', ...profiles, 'config', '--format', 'json'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const resolved = JSON.parse(text) as { services: Record<string, unknown> };
    expect(Object.keys(resolved.services).toSorted()).toEqual(Object.keys(services).toSorted());
  });
});

interface Panel {
  id: number;
  type: string;
  title?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { uid: string };
  targets?: { expr: string; refId: string }[];
}
interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  templating: { list: { name: string; type: string; query?: unknown }[] };
  panels: Panel[];
}

/** What Grafana's schema of a dashboard (kind `dashboard`, version 36 and newer) asks for; returns its id. */
function checkDashboard({ uid, title, schemaVersion, templating, panels }: Dashboard, name: string): string {
  expect(uid, name).toMatch(/^[a-zA-Z0-9_-]{1,40}$/);
  expect(title, name).not.toBe('');
  expect(schemaVersion, name).toBeGreaterThanOrEqual(36);
  expect(templating.list.find((variable) => variable.type === 'datasource')?.query, name).toBe('prometheus');
  expect(new Set(panels.map(({ id }) => id)).size, name).toBe(panels.length);
  const cells = new Set<string>();
  for (const { type, gridPos, targets = [], datasource, title: panel } of panels) {
    expect(gridPos.x + gridPos.w, panel).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells.has(`${x},${y}`), `${panel ?? type} lies on another panel`).toBe(false);
        cells.add(`${x},${y}`);
      }
    }
    if (type === 'row') continue;
    expect(targets.length, panel).toBeGreaterThan(0);
    expect(datasource?.uid, panel).toBe('${datasource}');
    expect(new Set(targets.map(({ refId }) => refId)).size, panel).toBe(targets.length);
  }
  return uid;
}
