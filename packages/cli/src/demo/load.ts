import type { Etcd3, IRequestOp } from 'etcd3';
import { Random } from '@etcd-ops/core';

export interface LoadTotals {
  requests: number;
  /** Puts and deletions that etcd accepted: the events a watch must deliver. */
  events: number;
  bytes: number;
  leases: number;
  /** The highest revision that etcd named in an answer. */
  revision: number;
}

const PODS = 3_000;
const SECRETS = 400;
const VALUE_BYTES_MAX = 1_000_000;

/** The keys that the demo deletes 'by mistake'. */
export const MISTAKE_PREFIX = '/registry/secrets/';

/**
 * A load as a busy Kubernetes makes it, and harder: puts, overwrites, deletions, transactions of many operations,
 * range deletions, leases that stay and leases that run out, values from nothing to 1 MB.
 */
export class Load {
  readonly totals: LoadTotals = { requests: 0, events: 0, bytes: 0, leases: 0, revision: 0 };
  readonly #client: Etcd3;
  readonly #random: Random;
  readonly #leases: string[] = [];
  #sequence = 0;

  constructor(client: Etcd3, seed: number) {
    this.#client = client;
    this.#random = new Random(seed);
  }

  /** What every run has, whatever the dice say: the mistake's victims, leases of both kinds, both ends of the value sizes. */
  async foundation(): Promise<void> {
    for (const [ttlSeconds, keys] of [
      [3600, 20],
      [7200, 5],
      [86_400, 1],
    ] as const) {
      await this.#grant(ttlSeconds, keys);
    }
    await this.#grant(2, 10);
    await this.#grant(1800, 0);
    for (let index = 0; index < SECRETS; index++) {
      await this.#put(`${MISTAKE_PREFIX}ns-${index % 7}/secret-${index}`, this.#value(200));
    }
    await this.#put('/empty', Buffer.alloc(0));
    await this.#put(Buffer.from([0x00, 0xff, 0x80, 0x0a]), this.#value(64));
    await this.#put('/registry/configmaps/large', this.#random.bytes(VALUE_BYTES_MAX));
  }

  /** `requests` requests by `workers` clients at once, or as many as fit before the signal aborts. */
  async run(options: { requests: number; workers?: number; signal?: AbortSignal }): Promise<void> {
    let left = options.requests;
    const work = async (): Promise<void> => {
      while (left > 0 && options.signal?.aborted !== true) {
        left--;
        await this.#step();
      }
    };
    await Promise.all(Array.from({ length: options.workers ?? 6 }, work));
  }

  /** Deletes everything below MISTAKE_PREFIX; answers with the revision of the deletion and how many keys went. */
  async makeTheMistake(): Promise<{ revision: number; deleted: number }> {
    const before = this.totals.events;
    const revision = await this.#deleteRange(MISTAKE_PREFIX);
    return { revision, deleted: this.totals.events - before };
  }

  async compact(revision: number): Promise<void> {
    await this.#client.kv.compact({ revision, physical: true });
  }

  async #step(): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.6) await this.#put(this.#pod(), this.#value(this.#random.integer(100, 1_500)));
    else if (dice < 0.7) await this.#put('/registry/masterleases/hot', this.#value(80));
    else if (dice < 0.78) await this.#deleteKey(this.#pod());
    else if (dice < 0.9) await this.#transaction(this.#random.integer(2, 24));
    else if (dice < 0.93) await this.#fillAndSweep();
    else if (dice < 0.98) await this.#leasedPut();
    else if (dice < 0.995) await this.#put(this.#pod(), Buffer.alloc(0));
    else {
      await this.#put(
        `/registry/configmaps/bundle-${this.#random.integer(0, 4)}`,
        this.#random.bytes(this.#random.integer(50_000, 300_000)),
      );
    }
  }

  /** Puts a handful of keys below one prefix, then removes them with one range deletion inside a transaction that also puts. */
  async #fillAndSweep(): Promise<void> {
    const prefix = `/jobs/${this.#sequence++}/`;
    for (let index = 0; index < 4; index++) await this.#put(`${prefix}${index}`, this.#value(60));
    if (this.#random.fraction() < 0.5) {
      await this.#deleteRange(prefix);
      return;
    }
    await this.#commit([
      { request_delete_range: { key: Buffer.from(prefix), range_end: endOfPrefix(prefix) } },
      put(`/jobs-done/${this.#sequence}`, this.#value(40)),
    ]);
  }

  async #transaction(operations: number): Promise<void> {
    const keys = new Set<string>();
    while (keys.size < operations) keys.add(this.#pod());
    await this.#commit(
      [...keys].map((key, index) =>
        index % 4 === 3
          ? { request_delete_range: { key: Buffer.from(key) } }
          : put(key, this.#value(this.#random.integer(20, 400))),
      ),
    );
  }

  async #leasedPut(): Promise<void> {
    const lease = this.#leases[this.#random.integer(0, this.#leases.length - 1)]!;
    await this.#put(`/registry/leases/${this.#random.integer(0, 200)}`, this.#value(120), lease);
    if (this.#random.fraction() < 0.05) await this.#grant(this.#random.integer(600, 6_000), 2);
  }

  async #grant(ttlSeconds: number, keys: number): Promise<void> {
    const { ID: lease } = await this.#client.leaseClient.leaseGrant({ TTL: ttlSeconds });
    this.totals.leases++;
    // Only leases that outlive the demo are handed to later puts: etcd refuses a put with a lease that has run out.
    if (ttlSeconds > 60) this.#leases.push(lease);
    for (let index = 0; index < keys; index++) await this.#put(`/sessions/${lease}/${index}`, this.#value(50), lease);
  }

  async #put(key: string | Buffer, value: Buffer, lease?: string): Promise<void> {
    const answer = await this.#client.kv.put({
      key: Buffer.from(key),
      value,
      ...(lease === undefined ? {} : { lease }),
    });
    this.#count(answer.header.revision, 1, value.length);
  }

  async #deleteKey(key: string): Promise<void> {
    const answer = await this.#client.kv.deleteRange({ key: Buffer.from(key) });
    this.#count(answer.header.revision, Number(answer.deleted), 0);
  }

  async #deleteRange(prefix: string): Promise<number> {
    const answer = await this.#client.kv.deleteRange({ key: Buffer.from(prefix), range_end: endOfPrefix(prefix) });
    this.#count(answer.header.revision, Number(answer.deleted), 0);
    return Number(answer.header.revision);
  }

  async #commit(success: IRequestOp[]): Promise<void> {
    const answer = await this.#client.kv.txn({ success });
    let events = 0;
    let bytes = 0;
    success.forEach((operation, index) => {
      events +=
        operation.request_put === undefined ? Number(answer.responses[index]?.response_delete_range?.deleted ?? 0) : 1;
      bytes += operation.request_put?.value?.length ?? 0;
    });
    this.#count(answer.header.revision, events, bytes);
  }

  #count(revision: string, events: number, bytes: number): void {
    this.totals.requests++;
    this.totals.events += events;
    this.totals.bytes += bytes;
    this.totals.revision = Math.max(this.totals.revision, Number(revision));
  }

  #pod(): string {
    return `/registry/pods/ns-${this.#random.integer(0, 9)}/pod-${this.#random.integer(0, PODS)}`;
  }

  #value(length: number): Buffer {
    return this.#random.bytes(length);
  }
}

function put(key: string, value: Buffer): IRequestOp {
  return { request_put: { key: Buffer.from(key), value } };
}

/** The first key behind all that begin with `prefix` (whose last byte is never 0xff here). */
function endOfPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}
