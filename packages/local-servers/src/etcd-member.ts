import { mkdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { readFileSync } from 'node:fs';
import { compareVersions } from './binaries.ts';
import { eventually } from './eventually.ts';
import { spawnGuarded, type GuardedProcess } from './guarded-process.ts';

/** Where a member lives: fixed before it is started, so that a restored directory can name its peer URLs. */
export interface EtcdMemberPlan {
  name: string;
  clientPort: number;
  peerPort: number;
  /** Of this member; created when absent. An existing one (a restored one) is booted as it is. */
  dataDir: string;
}

export interface EtcdTls {
  caFile: string;
  certFile: string;
  keyFile: string;
  /** Ask clients for a certificate signed by the CA. */
  clientCertAuth?: boolean;
}

export interface MemberSettings {
  plan: EtcdMemberPlan;
  binaryPath: string;
  version: string;
  initialCluster: string;
  token: string;
  fsync: boolean;
  tls?: EtcdTls | undefined;
  extraFlags: readonly string[];
  /** How long it may take until it has a leader. */
  readyTimeoutMs: number;
}

/** One running etcd. Everything is on 127.0.0.1. */
export class LocalEtcdMember {
  readonly name: string;
  readonly dataDir: string;
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly version: string;
  readonly #settings: MemberSettings;
  #process: GuardedProcess | undefined;

  constructor(settings: MemberSettings) {
    const { plan } = settings;
    this.name = plan.name;
    this.dataDir = plan.dataDir;
    this.endpoint = `${settings.tls === undefined ? 'http' : 'https'}://127.0.0.1:${plan.clientPort}`;
    this.peerUrl = `http://127.0.0.1:${plan.peerPort}`;
    this.version = settings.version;
    this.#settings = settings;
  }

  /** -1 when it does not run. */
  get pid(): number {
    return this.#process?.running === true ? this.#process.pid : -1;
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  log(): string {
    return this.#process?.log() ?? '';
  }

  /** Starts the process without waiting for a leader (other members may be missing yet). */
  async spawn(flags: readonly string[] = []): Promise<void> {
    await mkdir(this.dataDir, { recursive: true, mode: 0o700 });
    // An etcd of the environment's own (ETCD_*, also ETCD_OPS_*) must not reach this one: it warns about each.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD')));
    this.#process = await spawnGuarded(this.#settings.binaryPath, [...this.#arguments(), ...flags], { env });
  }

  /** Resolves when it serves and knows a leader; throws with the end of its log when it died or took too long. */
  async ready(): Promise<void> {
    const { readyTimeoutMs } = this.#settings;
    try {
      await eventually(
        async () => {
          if (!this.running) return 'dead';
          return (await this.#healthy()) ? 'ready' : false;
        },
        { timeoutMs: readyTimeoutMs },
      ).then((outcome) => {
        if (outcome === 'dead') throw new Error('it ended');
      });
    } catch (error) {
      throw new Error(`etcd ${this.version} "${this.name}" is not ready:\n${this.log().slice(-4_000)}`, {
        cause: error,
      });
    }
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Starts it again on the same data and ports. */
  async restart(flags: readonly string[] = []): Promise<void> {
    await this.stop();
    await this.spawn(flags);
    await this.ready();
  }

  #arguments(): string[] {
    const { plan, initialCluster, token, fsync, tls, version, extraFlags } = this.#settings;
    const flags = [
      `--name=${plan.name}`,
      `--data-dir=${plan.dataDir}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      `--initial-cluster=${initialCluster}`,
      `--initial-cluster-token=${token}`,
      '--initial-cluster-state=new',
      '--logger=zap',
      '--log-outputs=stderr',
    ];
    if (!fsync && compareVersions(version, '3.5.0') >= 0) flags.push('--unsafe-no-fsync');
    if (tls !== undefined) {
      flags.push(`--cert-file=${tls.certFile}`, `--key-file=${tls.keyFile}`, `--trusted-ca-file=${tls.caFile}`);
      if (tls.clientCertAuth === true) flags.push('--client-cert-auth');
    }
    return [...flags, ...extraFlags];
  }

  #healthy(): Promise<boolean> {
    const { tls } = this.#settings;
    return new Promise((resolve) => {
      const url = `${this.endpoint}/health`;
      const options = { timeout: 2_000, agent: false } as const;
      const request =
        tls === undefined
          ? httpRequest(url, options)
          : httpsRequest(url, {
              ...options,
              rejectUnauthorized: false,
              cert: readFileSync(tls.certFile),
              key: readFileSync(tls.keyFile),
            });
      request.once('response', (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(false));
      request.end();
    });
  }
}
