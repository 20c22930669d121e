const MIB = 1024 * 1024;

export interface HeapCollectorOptions {
  /** A whole collection; absent unless node was started with `--expose-gc`: then nothing is done. */
  collect?: (() => unknown) | undefined;
  /** Bytes of objects now, garbage with them. */
  heapBytes?: () => number;
  /** Growth since the last collection at which the next one is due. */
  growthBytesMax?: number;
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
 */
export function startHeapCollector(options: HeapCollectorOptions = {}): Disposable {
  const {
    collect = globalThis.gc,
    heapBytes = () => process.memoryUsage().heapUsed,
    growthBytesMax = 16 * MIB,
    lookMs = 1_000,
    now = () => performance.now(),
    cpuMs = () => process.cpuUsage().user / 1_000,
  } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => {} };
  let least = Infinity;
  let notBefore = 0;
  const timer = setInterval(() => {
    const bytes = heapBytes();
    if (now() < notBefore) return;
    // What was loaded to start with is garbage in part, too.
    const isFirst = least === Infinity;
    least = Math.min(least, bytes);
    if (!isFirst && bytes - least < growthBytesMax) return;
    const begunMs = cpuMs();
    collect();
    notBefore = now() + (cpuMs() - begunMs) * (TIME_SHARE - 1);
    least = heapBytes();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
