/** What a service says about itself. `detail` is one line for people; it never holds a secret. */
export interface ServiceHealth {
  /** False: only a restart helps. */
  live: boolean;
  /** True: it does its work now. A service that waits for NATS or etcd is live, but not ready. */
  ready: boolean;
  detail: string;
}

/**
 * A long-running unit. Its constructor does no work.
 *
 * - `run` MUST settle only when everything that it started has ended.
 * - An aborted `signal` means drain: take nothing new, finish or hand back what is in hand, then resolve.
 * - `run` rejects only with what a restart could cure or a person must see; ordinary outages are waited out inside.
 */
export interface Service {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  health(): ServiceHealth;
}
