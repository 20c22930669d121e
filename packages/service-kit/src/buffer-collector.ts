const MIB = 1024 * 1024;

export interface BufferCollectorOptions {
  /** A whole collection; absent unless node was started with `--expose-gc`: then nothing is done. */
  collect?: (() => unknown) | undefined;
  /** One of young objects alone, which costs far less; tried first. */
  collectYoung?: () => unknown;
  /** Bytes that buffers hold now, garbage with them. */
  bufferBytes?: () => number;
  /** Growth since the last collection at which the next one is due. */
  growthBytesMax?: number;
  lookMs?: number;
  now?: () => number;
}

/** Of the time, at most one part in so many goes into collections. */
const TIME_SHARE = 5;

/**
 * Has the garbage of buffers collected while there is still little of it. V8 waits for 64 MB of what lies outside of its heap, however small
 * the heap is: more than all that a service holds of messages and objects at a time. Buffers that a stream left behind are young, and the whole
 * heap is looked through only when that was not enough.
 */
export function startBufferCollector(options: BufferCollectorOptions = {}): Disposable {
  const {
    collect = globalThis.gc,
    collectYoung = () => globalThis.gc?.({ type: 'minor' }),
    bufferBytes = () => process.memoryUsage().arrayBuffers,
    growthBytesMax = 16 * MIB,
    lookMs = 50,
    now = () => performance.now(),
  } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => {} };
  let least = bufferBytes();
  let notBefore = 0;
  const timer = setInterval(() => {
    const bytes = bufferBytes();
    least = Math.min(least, bytes);
    const begun = now();
    if (bytes - least < growthBytesMax || begun < notBefore) return;
    collectYoung();
    // `least` stays as it is, or what such collections leave would add up.
    const isEnough = bufferBytes() - least < growthBytesMax / 2;
    if (!isEnough) collect();
    const ended = now();
    notBefore = ended + (ended - begun) * (TIME_SHARE - 1);
    if (!isEnough) least = bufferBytes();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
