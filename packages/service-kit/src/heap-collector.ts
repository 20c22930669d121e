const MIB = 1024 * 1024;

export interface HeapCollectorOptions {
  /** A whole collection; absent unless node was started with `--expose-gc`: then nothing is done. */
  collect?: (() => unknown) | undefined;
  /** A collection that moves objects together as well, and gives back to the system what V8 keeps for later. It takes twice as long. */
  compact?: () => unknown;
  /** Bytes of objects now, garbage with them. */
  heapBytes?: () => number;
  /** Bytes that the process has of the system's memory. */
  residentBytes?: () => number;
  /** Growth since the last collection at which the next one is due. */
  growthBytesMax?: number;
  /** Growth of all memory since the last compaction at which the next one is due, but not within `compactPauseMs`. */
  residentGrowthBytesMax?: number;
  compactPauseMs?: number;
  lookMs?: number;
  now?: () => number;
  /** What this process has used. */
  cpuMs?: () => number;
}

/** A collection is followed by so many times its own length without one; in CPU time, for a busy machine makes none of it garbage. */
const TIME_SHARE = 50;

/**
 * Has objects collected while there is little garbage of them, where that costs little. V8 lets the heap of a process that may use
 * gigabytes grow to several times of what lives in it: what a service of a large fleet would hold for nothing, and each of its replicas.
 * Pages that became free it keeps, and those that are half empty, until somebody says that memory is short: after a busy time, the half of
 * what a calm service would hold.
 */
export function startHeapCollector(options: HeapCollectorOptions = {}): Disposable {
  const {
    collect = globalThis.gc,
    compact = () => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
    heapBytes = () => process.memoryUsage().heapUsed,
    residentBytes = () => process.memoryUsage.rss(),
    growthBytesMax = 8 * MIB,
    residentGrowthBytesMax = 8 * MIB,
    compactPauseMs = 60_000,
    lookMs = 1_000,
    now = () => performance.now(),
    cpuMs = () => process.cpuUsage().user / 1_000,
  } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => {} };
  // What was loaded to start with is garbage in part, too.
  let least = -Infinity;
  let leastResident = -Infinity;
  let notBefore = 0;
  let noCompactionBefore = 0;
  const timer = setInterval(() => {
    least = Math.min(least, heapBytes());
    leastResident = Math.min(leastResident, residentBytes());
    if (now() < notBefore) return;
    const isCompaction = now() >= noCompactionBefore && residentBytes() - leastResident >= residentGrowthBytesMax;
    if (!isCompaction && heapBytes() - least < growthBytesMax) return;
    const begunMs = cpuMs();
    if (isCompaction) compact();
    else collect();
    notBefore = now() + (cpuMs() - begunMs) * (TIME_SHARE - 1);
    least = heapBytes();
    if (!isCompaction) return;
    leastResident = residentBytes();
    noCompactionBefore = now() + compactPauseMs;
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
