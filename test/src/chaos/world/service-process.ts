import {
  faultProxy,
  SERVICE_NODE_FLAGS,
  serviceEnvironment,
  spawnGuarded,
  type FaultProxy,
  type GuardedProcess,
} from '@etcd-ops/test-kit';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FAULTS_VARIABLE, plainEnvironment, WORLD_VARIABLE } from './chaos-env.ts';
import { NO_FAULTS, type ProcessFaults } from './process-faults.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const HOOK = join(import.meta.dirname, 'fault-hook.ts');

export const SERVICE_NAMES = [
  'scheduler',
  'watcher',
  'uploader',
  'garbage-collector',
  'restorer',
  'maintainer',
] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export interface ServicePlan {
  name: ServiceName;
  /** Among those of the same name, from 1. */
  index: number;
  /** Of the world: marks the process. */
  worldId: string;
  directory: string;
  natsUrl: string;
  /** Settings: `ETCD_OPS_*` without what is derived from the plan. */
  settings: Record<string, string>;
}

/** How much a process holds. */
export interface ProcessUse {
  fds: number;
  rssBytes: number;
  /** The most that it ever held. */
  rssBytesPeak: number;
}

/** One service as its own process, as in its image, behind a proxy of its own to NATS. Kept alive by its world, as by a supervisor. */
export class ServiceProcess implements AsyncDisposable {
  readonly name: ServiceName;
  /** `watcher-2`. */
  readonly label: string;
  readonly nats: FaultProxy;
  readonly spoolDirectory: string;
  readonly tempDirectory: string;
  readonly #plan: ServicePlan;
  #process: GuardedProcess | undefined;
  #starting: Promise<void> | undefined;
  #paused = false;
  #earlierLogs = '';
  starts = 0;

  private constructor(plan: ServicePlan, nats: FaultProxy) {
    this.name = plan.name;
    this.label = `${plan.name}-${plan.index}`;
    this.nats = nats;
    this.#plan = plan;
    this.spoolDirectory = join(plan.directory, 'spool', plan.name);
    this.tempDirectory = join(plan.directory, 'tmp');
  }

  static async plan(plan: ServicePlan): Promise<ServiceProcess> {
    return new ServiceProcess(plan, await faultProxy(plan.natsUrl));
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get pid(): number {
    return this.running ? this.#process!.pid : -1;
  }

  /** The end of what all its processes wrote. */
  log(): string {
    return this.#earlierLogs + (this.#process?.log() ?? '');
  }

  /** Two faults may both want it back at the same moment: it is one process. */
  async start(): Promise<void> {
    await (this.#starting ??= this.#start().finally(() => (this.#starting = undefined)));
  }

  async #start(): Promise<void> {
    if (this.running) return;
    const { directory, settings, worldId, name } = this.#plan;
    this.#earlierLogs = this.log().slice(-32_768);
    this.#paused = false;
    await mkdir(this.tempDirectory, { recursive: true });
    await this.setFaults(NO_FAULTS);
    const env = {
      ...plainEnvironment(),
      TMPDIR: this.tempDirectory,
      NODE_OPTIONS: `--import=${HOOK}`,
      ...serviceEnvironment(),
      [WORLD_VARIABLE]: worldId,
      [FAULTS_VARIABLE]: this.#faultsPath,
      ETCD_OPS_NATS_URL: `nats://127.0.0.1:${this.nats.port}`,
      ETCD_OPS_STATE_DIR: join(directory, 'state', this.label),
      ETCD_OPS_SPOOL_DIR: this.spoolDirectory,
      ETCD_OPS_HTTP_HOST: '127.0.0.1',
      ...settings,
    };
    const main = join(ROOT, 'services', name, 'src', 'main.ts');
    this.#process = await spawnGuarded(process.execPath, [...SERVICE_NODE_FLAGS, main], { env });
    this.starts++;
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGTERM, and waits for the drain; answers the exit code. */
  async stop(graceMs = 15_000): Promise<number | null> {
    if (!this.running) return null;
    this.resume();
    await this.#process!.stop(graceMs);
    return (await this.#process!.exited).code;
  }

  /** SIGTERM without waiting. */
  terminate(): void {
    this.#process?.signal('SIGTERM');
  }

  pause(): void {
    if (!this.running) return;
    this.#process!.signal('SIGSTOP');
    this.#paused = true;
  }

  resume(): void {
    if (this.running) this.#process!.signal('SIGCONT');
    this.#paused = false;
  }

  async setFaults(faults: ProcessFaults): Promise<void> {
    await mkdir(this.#plan.directory, { recursive: true });
    // Renamed into place: a half that is read would be no JSON.
    await writeFile(`${this.#faultsPath}.new`, JSON.stringify(faults));
    await rename(`${this.#faultsPath}.new`, this.#faultsPath);
  }

  async use(): Promise<ProcessUse> {
    const fds = (await readdir(`/proc/${this.pid}/fd`)).length;
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    const bytesOf = (field: string): number =>
      Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? Number.NaN) * 1024;
    return { fds, rssBytes: bytesOf('VmRSS'), rssBytesPeak: bytesOf('VmHWM') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.nats.close();
  }

  get #faultsPath(): string {
    return join(this.#plan.directory, `${this.label}.faults.json`);
  }
}
