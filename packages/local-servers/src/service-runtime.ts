import { join } from 'node:path';
import { toolsDirectory } from './binaries.ts';

/**
 * How bin/etcd-ops and the image start node for what runs for months (docs/OPERATIONS.md, Memory): helper threads of V8's collector cost
 * several times what they save where buffers come and go; a small young generation; a collector that `BufferCollector` may call.
 */
export const SERVICE_NODE_FLAGS: readonly string[] = ['--single-threaded-gc', '--max-semi-space-size=2', '--expose-gc'];

/** The environment of the same. */
export function serviceEnvironment(): Record<string, string> {
  return {
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '131072',
    MALLOC_TRIM_THRESHOLD_: '131072',
    // Without it, the compiler of the types stays in memory.
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(toolsDirectory(), 'compile-cache'),
  };
}
