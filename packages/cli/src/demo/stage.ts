import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { clusterSpecSchema, type ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { EtcdCluster, openEtcd3, type EtcdMember } from '@etcd-ops/etcd-client';
import {
  MissingBinaryError,
  planMembers,
  startEtcd,
  type LocalEtcd,
  type EtcdMemberPlan,
} from '@etcd-ops/local-servers';
import { createLogger } from '@etcd-ops/service-kit';
import type { Etcd3 } from 'etcd3';
import { destination } from 'pino';
import { startDaemon, type Daemon } from '../daemon/start-daemon.ts';

export const DEMO_CLUSTER = 'demo';
export const DEMO_TOKEN = 'etcd-ops-demo';
const DELTA_PERIOD_MS = 1_500;

/** An etcd that runs, with the two clients that the story uses. */
export interface RunningEtcd {
  etcd: LocalEtcd;
  client: Etcd3;
  member: EtcdMember;
  close(): Promise<void>;
}

function asMissing(cause: unknown): never {
  if (cause instanceof MissingBinaryError) throw new EtcdOpsError('BINARY_MISSING', { message: cause.message });
  throw cause;
}

/** Everything that the demo starts; whatever happens, all of it is stopped and, unless kept, removed. */
export class Stage implements AsyncDisposable {
  readonly root: string;
  readonly etcdVersion: string | undefined;
  readonly #resources = new AsyncDisposableStack();
  /** Where the cluster under care lives: the same ports before its loss and after its return. */
  readonly home: EtcdMemberPlan;

  private constructor(root: string, home: EtcdMemberPlan, etcdVersion: string | undefined) {
    this.root = root;
    this.home = home;
    this.etcdVersion = etcdVersion;
  }

  static async set(options: { etcdVersion?: string | undefined; keep: boolean }): Promise<Stage> {
    const root = await mkdtemp(join(tmpdir(), 'etcd-ops-demo-'));
    const [home] = await planMembers(1, root);
    const stage = new Stage(root, home!, options.etcdVersion);
    await mkdir(stage.restored);
    if (!options.keep) stage.#resources.defer(() => rm(root, { recursive: true, force: true }));
    return stage;
  }

  get backups(): string {
    return join(this.root, 'backups');
  }

  /** Where restores asked over NATS may write. */
  get restored(): string {
    return join(this.root, 'restored');
  }

  get stateDir(): string {
    return join(this.root, 'state');
  }

  get logFile(): string {
    return join(this.root, 'etcd-ops.log');
  }

  get initialCluster(): string {
    return `${this.home.name}=http://127.0.0.1:${this.home.peerPort}`;
  }

  get spec(): ClusterSpec {
    return clusterSpecSchema.parse({
      version: 1,
      name: DEMO_CLUSTER,
      endpoints: [`http://127.0.0.1:${this.home.clientPort}`],
      store: { provider: 'Local', bucket: this.backups },
      snapshots: { deltaPeriodMs: DELTA_PERIOD_MS },
    });
  }

  /** Starts etcd at home, on the ports that the services know; on `dataDir` if it is to continue a restored one. */
  async startAtHome(dataDir?: string): Promise<RunningEtcd> {
    return await this.#start({ ...this.home, ...(dataDir === undefined ? {} : { dataDir }) });
  }

  /** Starts etcd on ports of its own, where the services do not see it. */
  async startElsewhere(dataDir: string): Promise<RunningEtcd> {
    const [plan] = await planMembers(1, this.root);
    return await this.#start({ ...plan!, name: this.home.name, dataDir });
  }

  async startDaemon(): Promise<Daemon> {
    const daemon = await startDaemon({
      stateDir: this.stateDir,
      clusters: [this.spec],
      restoreRoots: [this.restored],
      logger: createLogger({
        level: 'info',
        name: 'etcd-ops',
        stream: destination({ dest: this.logFile, sync: true }),
      }),
      http: { host: '127.0.0.1', port: 0 },
    });
    return this.#resources.use(daemon);
  }

  /** Copies the log of the services to where it outlives the stage; answers with its path. */
  async saveLog(): Promise<string | undefined> {
    const path = join(tmpdir(), `${basename(this.root)}.log`);
    return await copyFile(this.logFile, path).then(
      () => path,
      () => undefined,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #start(plan: EtcdMemberPlan): Promise<RunningEtcd> {
    const version = this.etcdVersion === undefined ? {} : { version: this.etcdVersion };
    const etcd = this.#resources.use(
      await startEtcd({ ...version, members: [plan], token: DEMO_TOKEN }).catch(asMissing),
    );
    const access = { endpoints: etcd.endpoints };
    const cluster = this.#resources.use(await EtcdCluster.connect(access));
    const client = await openEtcd3(access);
    this.#resources.defer(() => client.close());
    const close = async (): Promise<void> => {
      client.close();
      await cluster[Symbol.asyncDispose]();
      await etcd.stop();
    };
    return { etcd, client, member: cluster.members()[0]!, close };
  }
}
