/** Smaller ones may lie in a pool that others use, and cost nothing to keep. */
const FREED_BYTES_MIN = 64 * 1024;

/**
 * Gives the memory of a buffer back to the system at once, if it is large and its own: the collector does not see how much memory lies
 * behind a few small objects. It is empty afterwards, and so is every view of it. The caller MUST be the only one who holds it, and
 * nothing may be writing from or reading into it.
 */
export function freeBuffer({ buffer, length }: Buffer): void {
  if (length < FREED_BYTES_MIN || length !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
}
