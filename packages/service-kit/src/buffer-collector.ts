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
  /** How often it is looked, and how often while buffers come and go. */
  lookMs?: number;
  busyLookMs?: number;
  /** What this process has used. */
  cpuMs?: () => number;
}

/**
 * Whole collections take at most one part in so many of the process's own time: on a busy machine, the time that others take would hold
 * them up while buffers go on coming.
 */
const TIME_SHARE = 5;
/** So much more or less since the last look, and buffers come and go. */
const BUSY_BYTES = MIB / 4;

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
    busyLookMs = 5,
    cpuMs = ownCpuMs,
  } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => {} };
  let least = bufferBytes();
  let before = least;
  let notBefore = 0;
  const look = (): void => {
    let bytes = bufferBytes();
    least = Math.min(least, bytes);
    const isBusy = Math.abs(bytes - before) > BUSY_BYTES;
    if (bytes - least >= growthBytesMax) {
      collectYoung();
      // `least` stays as it is, or what such collections leave would add up.
      bytes = bufferBytes();
      const begun = cpuMs();
      if (bytes - least >= growthBytesMax / 2 && begun >= notBefore) {
        collect();
        const ended = cpuMs();
        notBefore = ended + (ended - begun) * (TIME_SHARE - 1);
        bytes = bufferBytes();
        least = bytes;
      }
    }
    before = bytes;
    timer = setTimeout(look, isBusy ? busyLookMs : lookMs).unref();
  };
  let timer = setTimeout(look, lookMs).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
