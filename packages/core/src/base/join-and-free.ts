import { freeBuffer } from './free-buffer.ts';

/**
 * The parts as one buffer, each given back to the system as soon as it is copied, or as much again would wait for the collector. The
 * caller MUST be the only one who holds the parts; they are empty afterwards.
 */
export function joinAndFree(parts: Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((bytes, part) => bytes + part.length, 0));
  let offset = 0;
  for (const part of parts.splice(0)) {
    whole.set(part, offset);
    offset += part.length;
    freeBuffer(part);
  }
  return whole;
}
