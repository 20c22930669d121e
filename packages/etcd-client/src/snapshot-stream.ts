import { status } from '@grpc/grpc-js';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdConnection } from './grpc/connection.ts';
import { SNAPSHOT_METHOD, SnapshotBlocks } from './snapshot-blocks.ts';

/** etcd sends the first part after it opened its read transaction; nothing for this long means that it hangs. */
export const SNAPSHOT_SILENCE_DEFAULT_MS = 60_000;

export interface SnapshotOptions {
  signal?: AbortSignal | undefined;
  /** How long etcd may be silent while we wait for it. */
  silenceTimeoutMs?: number;
  /** A block is valid only until the next one is asked for: what makes no garbage is read with half the CPU. Default false. */
  recycle?: boolean;
}

/**
 * The bytes of etcd's database file followed by their SHA-256 (32 bytes), in blocks that belong to the caller (but see `recycle`). The hash
 * is not checked here. The call has a connection of its own. Leaving the loop early ends both.
 * @throws EtcdOpsError SNAPSHOT_INCOMPLETE when the stream ended before the hash; other codes as any call.
 */
export async function* snapshotStream(
  connection: EtcdConnection,
  { signal, silenceTimeoutMs = SNAPSHOT_SILENCE_DEFAULT_MS, recycle = false }: SnapshotOptions,
): AsyncGenerator<Buffer, void, void> {
  for (let login = 0; ; login++) {
    const token = await connection.token(signal, SNAPSHOT_METHOD);
    if (signal?.aborted === true) throw cancelled(connection, signal);
    const blocks = new SnapshotBlocks(connection, token, { signal, silenceTimeoutMs, recycle });
    let hasBegun = false;
    try {
      for (;;) {
        const block = await blocks.next();
        if (block === undefined) break;
        hasBegun = true;
        yield block;
      }
    } finally {
      blocks.close();
    }
    const { outcome, isWhole, receivedBytes } = blocks;
    if (outcome!.code === status.OK) {
      if (isWhole) return;
      throw new EtcdOpsError('SNAPSHOT_INCOMPLETE', {
        message: `The snapshot of ${connection.endpoint} ended after ${receivedBytes} bytes without its hash`,
      });
    }
    if (hasBegun) throw connection.failure(SNAPSHOT_METHOD, outcome!, signal);
    if (login > 0 || !connection.needsLogin(outcome!, token)) {
      throw await connection.explained(SNAPSHOT_METHOD, outcome!, signal);
    }
  }
}

function cancelled(connection: EtcdConnection, signal: AbortSignal): EtcdOpsError {
  return connection.failure(SNAPSHOT_METHOD, { code: status.CANCELLED, details: 'cancelled here' }, signal);
}
