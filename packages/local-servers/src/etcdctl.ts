import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { compareVersions, findBinary, missingBinary, newestBinary, type BinaryName } from './binaries.ts';
import type { EtcdTls } from './etcd-member.ts';

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;
const RUN_TIMEOUT_MS = 120_000;
const run = promisify(execFile);

export interface EtcdctlTarget {
  version?: string;
  endpoints?: readonly string[];
  tls?: EtcdTls;
}

/** Runs etcdctl (API 3); returns its stdout, throws with its stderr. */
export async function runEtcdctl(target: EtcdctlTarget, ...args: string[]): Promise<string> {
  const flags: string[] = [];
  if (target.endpoints !== undefined) flags.push(`--endpoints=${target.endpoints.join(',')}`);
  if (target.tls !== undefined) {
    flags.push(`--cacert=${target.tls.caFile}`, `--cert=${target.tls.certFile}`, `--key=${target.tls.keyFile}`);
  }
  return execute('etcdctl', target.version, [...flags, ...args]);
}

/** Runs the official offline tool: `snapshot status|restore`. etcd 3.4 has it inside etcdctl. */
export async function runEtcdutl(target: { version?: string }, ...args: string[]): Promise<string> {
  const newest = newestBinary('etcd', target.version);
  const old = newest !== undefined && compareVersions(newest.version, '3.5.0') < 0;
  return execute(old ? 'etcdctl' : 'etcdutl', target.version, args);
}

async function execute(name: BinaryName, version: string | undefined, args: readonly string[]): Promise<string> {
  const path = findBinary(name, version);
  if (path === undefined) throw new Error(missingBinary(name, version));
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('ETCD')));
  const { stdout } = await run(path, args, {
    env: { ...env, ETCDCTL_API: '3' },
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: RUN_TIMEOUT_MS,
  });
  return stdout;
}
