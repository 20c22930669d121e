const MIB = 1024 * 1024;

export interface HeapCollectorOptions {
  /** A whole collection; absent unless node was started with `--expose-gc`: then nothing is done. */
  collect?: (() => unknown) | undefined;
  /** A collection that moves objects together as well, and gives back to the system what V8 keeps for later. It takes twice as long. */
  compact?: () => unknown;
  /** What this process holds now; `heapUsed` are objects, garbage with them. */
  memory?: () => Pick<NodeJS.MemoryUsage, 'rss' | 'heapTotal' | 'heapUsed'>;
  /** Growth of objects since the last collection at which the next one is due. */
  growthBytesMax?: number;
  /** Growth of all memory since the last compaction at which the next one is due, but not within `compactPauseMs`. */
  residentGrowthBytesMax?: number;
  /** The same of heap that holds nothing. */
  emptyBytesMax?: number;
  compactPauseMs?: number;
  lookMs?: number;
  now?: () => number;
  /** What this process has used. */
  cpuMs?: () => number;
}

/** A collection is followed by so many times its own length without one; in CPU time, for a busy machine makes none of it garbage. */
const TIME_SHARE = 50;
/** Pauses after which memory is given back also where none of it grew: what lived at a busy time may have been held for it since. */
const PAUSES_MAX = 2;
/** Heap that holds nothing may be one part in so many of what is held: a large heap is not moved together for little. */
const EMPTY_SHARE = 4;

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
    memory = () => process.memoryUsage(),
    growthBytesMax = 8 * MIB,
    residentGrowthBytesMax = 8 * MIB,
    emptyBytesMax = 16 * MIB,
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
  let compactedAt = -Infinity;
  let hasCollectedSince = false;
  const timer = setInterval(() => {
    const { rss, heapTotal, heapUsed } = memory();
    least = Math.min(least, heapUsed);
    leastResident = Math.min(leastResident, rss);
    if (now() < notBefore) return;
    const isScattered = heapTotal - heapUsed >= Math.max(emptyBytesMax, heapUsed / EMPTY_SHARE);
    const pauses = (now() - compactedAt) / compactPauseMs;
    const isLate = hasCollectedSince && pauses >= PAUSES_MAX;
    const hasGrown = rss - leastResident >= residentGrowthBytesMax;
    const isCompaction = pauses >= 1 && (isScattered || hasGrown || isLate);
    if (!isCompaction && heapUsed - least < growthBytesMax) return;
    const begunMs = cpuMs();
    if (isCompaction) compact();
    else collect();
    notBefore = now() + (cpuMs() - begunMs) * (TIME_SHARE - 1);
    const left = memory();
    least = left.heapUsed;
    hasCollectedSince = !isCompaction;
    if (!isCompaction) return;
    leastResident = left.rss;
    compactedAt = now();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
