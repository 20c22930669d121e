/** Smaller ones may lie in a pool that others use, and cost nothing to keep. */
const FREED_BYTES_MIN = 64 * 1024;

/**
 * The parts as one buffer, each given back to the system as soon as it is copied: the collector does not see how much memory lies behind
 * a few small objects and would leave as much again to wait for it. The caller MUST be the only one who holds the parts; they are
 * empty afterwards.
 */
export function joinAndFree(parts: Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((bytes, part) => bytes + part.length, 0));
  let offset = 0;
  for (const part of parts.splice(0)) {
    const { buffer } = part;
    whole.set(part, offset);
    offset += part.length;
    if (part.length >= FREED_BYTES_MIN && part.length === buffer.byteLength && buffer instanceof ArrayBuffer) {
      buffer.transfer(0);
    }
  }
  return whole;
}
