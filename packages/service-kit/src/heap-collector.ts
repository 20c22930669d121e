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
}

/** Of the time, at most one part in so many goes into collections. */
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
  } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => {} };
  let least = Infinity;
  let notBefore = 0;
  const timer = setInterval(() => {
    const bytes = heapBytes();
    const begun = now();
    if (begun < notBefore) return;
    // What was loaded to start with is garbage in part, too.
    const isFirst = least === Infinity;
    least = Math.min(least, bytes);
    if (!isFirst && bytes - least < growthBytesMax) return;
    collect();
    const ended = now();
    notBefore = ended + (ended - begun) * (TIME_SHARE - 1);
    least = heapBytes();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
