import { encodeClusterName } from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf } from '../world/chaos-env.ts';
import type { ChaosWorld } from '../world/chaos-world.ts';
import type { ServiceName, ServiceProcess } from '../world/service-process.ts';

const MIB = 1024 * 1024;
/** The engine keeps some of what a burst took. */
const RSS_SLACK = 1.25;
/** DESIGN's budgets, for a store without keys worth speaking of. */
const RSS_BYTES_MAX: Record<ServiceName, number> = {
  scheduler: 200 * MIB,
  watcher: 200 * MIB,
  'garbage-collector': 200 * MIB,
  uploader: 256 * MIB,
  restorer: 256 * MIB,
  maintainer: 200 * MIB,
};
/** Connections come and go; what leaks grows with every round. */
const FDS_GROWTH_MAX = 16;
/** What a killed writer leaves in the repository is swept when it is older than the grace (a minute here), at the next collection. */
const REMNANT_AGE_MS_MAX = 240_000;
const SETTLE_MS = 20_000;

/** Looks for what should have gone: processes, files, descriptors, memory. */
export class ProcessCheck {
  readonly #world: ChaosWorld;
  /** Descriptors at the first look, by process. */
  readonly #fdsAtFirst = new Map<number, number>();
  rssBytesMax: Partial<Record<ServiceName, number>> = {};

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  async check(): Promise<void> {
    await eventually(() => this.#noOrphans(), { timeoutMs: SETTLE_MS, intervalMs: 100 });
    await eventually(() => this.#noSpooledFiles(), { timeoutMs: SETTLE_MS, intervalMs: 100 });
    this.#noTemporaryFiles();
    this.#noOldRemnants();
    await eventually(async () => await this.#noGrowth(), { timeoutMs: SETTLE_MS, intervalMs: 200 });
  }

  /** Every process with this world's mark is one of its services. */
  #noOrphans(): void {
    const known = new Set(this.#world.services.map(({ pid }) => pid));
    const orphans = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => !known.has(pid) && environmentOf(pid).includes(this.#world.id));
    if (orphans.length > 0) throw new Error(`Orphans: ${orphans.join(', ')}`);
  }

  /** Snapshots under way are gone soon; directories of uploaders that are gone must be gone. */
  #noSpooledFiles(): void {
    const uploaders = this.#world.servicesOf('uploader');
    const alive = new Set(uploaders.map(({ pid }) => String(pid)));
    for (const directory of new Set(uploaders.map(({ spoolDirectory }) => spoolDirectory))) {
      for (const name of list(directory)) {
        if (!alive.has(/^uploader-[0-9a-f]{12}-(\d+)-/.exec(name)?.[1] ?? '')) {
          throw new Error(`Left in the spool: ${name}`);
        }
        const files = list(join(directory, name));
        if (files.length > 0) throw new Error(`Left in ${name}: ${files.join(', ')}`);
      }
    }
  }

  #noTemporaryFiles(): void {
    const found = [...new Set(this.#world.services.map(({ tempDirectory }) => tempDirectory))].flatMap(list);
    const parts = walk(this.#world.scratch.path).filter((path) => path.endsWith('.part'));
    if (found.length + parts.length > 0) throw new Error(`Temporary files: ${[...found, ...parts].join(', ')}`);
  }

  #noOldRemnants(): void {
    for (const cluster of this.#world.clusters) {
      const files = walk(join(this.#world.bucket, encodeClusterName(cluster)));
      const fulls = new Set(files);
      for (const path of files) {
        const isHalf = path.endsWith('.db') && !fulls.has(`${path}.json`);
        if (!isHalf && !path.includes('/.')) continue;
        const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
        if (ageMs > REMNANT_AGE_MS_MAX) throw new Error(`A remnant that nobody swept for ${ageMs} ms: ${path}`);
      }
    }
  }

  async #noGrowth(): Promise<void> {
    for (const service of this.#world.services) await this.#within(service);
  }

  async #within(service: ServiceProcess): Promise<void> {
    const { name, label, pid } = service;
    const { fds, rssBytes } = await service.use();
    const first = this.#fdsAtFirst.get(pid) ?? fds;
    this.#fdsAtFirst.set(pid, first);
    this.rssBytesMax[name] = Math.max(this.rssBytesMax[name] ?? 0, rssBytes);
    if (fds > first + FDS_GROWTH_MAX) throw new Error(`${label} has ${fds} descriptors open, at first ${first}`);
    const mib = Math.round(rssBytes / MIB);
    if (rssBytes > RSS_BYTES_MAX[name] * RSS_SLACK) throw new Error(`${label} has ${mib} MiB of memory`);
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function walk(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true }).map(({ parentPath, name }) =>
      join(parentPath, name),
    );
  } catch {
    return [];
  }
}
