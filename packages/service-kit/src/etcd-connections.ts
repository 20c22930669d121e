import type { ClusterSpec } from '@etcd-ops/bus';
import type { EtcdAccess, EtcdCluster } from '@etcd-ops/etcd-client';
import { EtcdOpsError } from '@etcd-ops/core';
import { orCancelled } from './or-cancelled.ts';
import type { Logger } from './logger.ts';
import { Pace } from './pace.ts';

/** A connected cluster on loan; disposing gives it back, it does not close it. */
export interface EtcdLoan extends AsyncDisposable {
  readonly cluster: EtcdCluster;
}

interface Entry {
  /** What the connection was made with; another one means another connection. */
  fingerprint: string;
  connecting: Promise<EtcdCluster>;
  loans: number;
  /** Replaced or forgotten: closed with the last loan. */
  retired: boolean;
  /** Runs while nobody has it. */
  idle: NodeJS.Timeout | undefined;
}

/** A connection that nobody borrowed for so long is closed: a full a day is no reason to hold a thousand of them. */
const IDLE_MS = 60_000;
/** Rights are tried one after the other: whoever takes over a hundred clusters has more urgent things to ask of them. */
const RIGHTS_PERIOD_MS = 250;

type Connect = (access: EtcdAccess) => Promise<EtcdCluster>;

/**
 * One connection to each etcd cluster that is spoken to, shared by everything in the process. A spec whose access changed gets a new one at the next
 * `borrow`; the old one closes when its last borrower has given it back. The connections themselves reconnect.
 */
export class EtcdConnections implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();
  readonly #logger: Logger;
  readonly #connect: Connect;
  readonly #idleMs: number;
  /** By cluster: the access whose rights were tried. */
  readonly #tried = new Map<string, string>();
  readonly #rightsPace = new Pace({ periodMs: RIGHTS_PERIOD_MS });
  readonly #closing = new AbortController();

  constructor(options: { logger: Logger; connect?: Connect; idleMs?: number }) {
    this.#logger = options.logger;
    this.#connect = options.connect ?? connectLazily;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /**
   * `await using loan = await connections.borrow(spec)`
   * @throws EtcdOpsError ETCD_* when no member can be reached; the next call tries again.
   */
  async borrow(spec: ClusterSpec, options: { signal?: AbortSignal } = {}): Promise<EtcdLoan> {
    if (this.#closing.signal.aborted) {
      throw new EtcdOpsError('CANCELLED', { message: 'The connections to etcd are closed' });
    }
    const access = etcdAccess(spec);
    const fingerprint = JSON.stringify(access);
    let entry = this.#entries.get(spec.name);
    if (entry === undefined || entry.fingerprint !== fingerprint) {
      if (entry !== undefined) this.#retire(spec.name, entry);
      const logger = this.#logger.child({ cluster: spec.name });
      const connecting = this.#connect({ ...access, onWarning: warnOnce(logger) });
      entry = { fingerprint, connecting, loans: 0, retired: false, idle: undefined };
      if (this.#tried.get(spec.name) !== fingerprint) {
        this.#tried.set(spec.name, fingerprint);
        void this.#tellMissingRights(connecting, spec.name, logger);
      }
      this.#entries.set(spec.name, entry);
      this.#forgetWhenFailed(spec.name, entry);
    }
    const borrowed = entry;
    borrowed.loans++;
    clearTimeout(borrowed.idle);
    let returned = false;
    const giveBack = async (): Promise<void> => {
      if (returned) return;
      returned = true;
      await this.#giveBack(spec.name, borrowed);
    };
    try {
      // The connection is everybody's: one borrower's signal ends its own waiting, not the connecting.
      const cluster = await orCancelled(borrowed.connecting, options.signal);
      return { cluster, [Symbol.asyncDispose]: giveBack };
    } catch (error) {
      void giveBack();
      throw error;
    }
  }

  /** Makes the next `borrow` connect anew: after a wrong cluster, changed certificates, or a removed spec. */
  forget(name: string): void {
    const entry = this.#entries.get(name);
    this.#tried.delete(name);
    if (entry !== undefined) this.#retire(name, entry);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map((entry) => this.#dispose(entry)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Each right is tried once for each access, beside the work: whoever needs a right that lacks fails with the same sentence. */
  async #tellMissingRights(connecting: Promise<EtcdCluster>, name: string, logger: Logger): Promise<void> {
    try {
      const cluster = await connecting;
      await this.#rightsPace.turn(this.#closing.signal);
      for (const { credential, calls, error } of await cluster.checkRights()) {
        logger.warn({ credential, calls, error }, 'A right is missing at etcd');
      }
    } catch (error) {
      // No connection, or one that broke: its borrowers are told, and the next one is tried.
      this.#tried.delete(name);
      logger.debug({ error }, 'The rights at etcd were not tried');
    }
  }

  #forgetWhenFailed(name: string, entry: Entry): void {
    entry.connecting.catch(() => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    });
  }

  #retire(name: string, entry: Entry): void {
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
    entry.retired = true;
    if (entry.loans === 0) void this.#dispose(entry);
  }

  async #giveBack(name: string, entry: Entry): Promise<void> {
    entry.loans--;
    if (entry.loans > 0) return;
    if (entry.retired) return await this.#dispose(entry);
    if (this.#closing.signal.aborted) return;
    entry.idle = setTimeout(() => this.#retire(name, entry), this.#idleMs);
    entry.idle.unref();
  }

  async #dispose(entry: Entry): Promise<void> {
    clearTimeout(entry.idle);
    try {
      const cluster = await entry.connecting;
      await cluster[Symbol.asyncDispose]();
    } catch (error) {
      this.#logger.debug({ error }, 'A connection to etcd did not close cleanly');
    }
  }
}

/** The same trouble is met again by each call; it is told when it is new. */
function warnOnce(logger: Logger): (error: EtcdOpsError) => void {
  let said = '';
  return (error) => {
    logger[error.message === said ? 'debug' : 'warn']({ error }, 'etcd is reached, but not all is well');
    said = error.message;
  };
}

/** Loaded with the first cluster: a scheduler never speaks to etcd, and gRPC takes tens of megabytes. */
async function connectLazily(access: EtcdAccess): Promise<EtcdCluster> {
  const client = await import('@etcd-ops/etcd-client');
  return client.EtcdCluster.connect(access);
}

/** What of a spec decides how etcd is reached. Passwords stay in their files. */
export function etcdAccess(spec: ClusterSpec): EtcdAccess {
  return {
    endpoints: spec.endpoints,
    connectTimeoutMs: spec.timeouts.connectMs,
    requestTimeoutMs: spec.timeouts.requestMs,
    ...(spec.tls === undefined ? {} : { tls: spec.tls }),
    ...(spec.auth === undefined ? {} : { auth: spec.auth }),
    ...(spec.maintenanceAuth === undefined ? {} : { maintenanceAuth: spec.maintenanceAuth }),
  };
}
