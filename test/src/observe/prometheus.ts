import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, findBinary, freePorts, missingBinary, spawnGuarded, tempDir } from '@etcd-ops/test-kit';
import { parse, stringify } from 'yaml';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'deploy', 'prometheus');
const START_MS_MAX = 60_000;

/** A real Prometheus, asked through its HTTP API. */
export interface Prometheus extends AsyncDisposable {
  /** `data` of the answer to `/api/v1/<path>`. @throws Error with what Prometheus says is wrong. */
  ask<Data>(path: string, parameters?: Readonly<Record<string, string>>): Promise<Data>;
}

export function missingPrometheus(): string | undefined {
  return findBinary('prometheus') === undefined ? missingBinary('prometheus') : undefined;
}

/** Starts it with the configuration and the rules of deploy/prometheus: only the targets are others, and it looks every two seconds. */
export async function startPrometheus(targets: readonly string[]): Promise<Prometheus> {
  const program = findBinary('prometheus');
  if (program === undefined) throw new Error(missingBinary('prometheus'));
  const scratch = tempDir('etcd-ops-prometheus-');
  const [port] = await freePorts(1);
  writeFileSync(scratch.file('prometheus.yml'), configurationFor(targets));
  const server = await spawnGuarded(
    program,
    [
      `--config.file=${scratch.file('prometheus.yml')}`,
      `--storage.tsdb.path=${scratch.file('data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { cwd: scratch.path },
  );
  const stop = async (): Promise<void> => {
    await server.stop();
    await scratch.remove();
  };
  const base = `http://127.0.0.1:${port}`;
  try {
    await eventually(
      async () => {
        if (!server.running) throw new Error(server.log());
        return (await fetch(`${base}/-/ready`)).ok;
      },
      { timeoutMs: START_MS_MAX },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async ask<Data>(path: string, parameters: Readonly<Record<string, string>> = {}) {
      const response = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
      const answer = (await response.json()) as { status: string; data: Data; error?: string };
      if (answer.status !== 'success') throw new Error(`${JSON.stringify(parameters)}: ${answer.error}`);
      return answer.data;
    },
    [Symbol.asyncDispose]: stop,
  };
}

interface Configuration {
  global: object;
  rule_files: string[];
  scrape_configs: { dns_sd_configs?: unknown; static_configs?: unknown }[];
}

function configurationFor(targets: readonly string[]): string {
  const configuration = parse(readFileSync(join(FOLDER, 'prometheus.yml'), 'utf8')) as Configuration;
  const [{ dns_sd_configs: _, ...job } = {}, ...others] = configuration.scrape_configs;
  if (others.length > 0) throw new Error('deploy/prometheus/prometheus.yml has a job that this test does not know');
  return stringify({
    ...configuration,
    global: { ...configuration.global, scrape_interval: '2s', evaluation_interval: '2s' },
    rule_files: configuration.rule_files.map((file) => join(FOLDER, file)),
    scrape_configs: [{ ...job, static_configs: [{ targets }] }],
  });
}
