import type { EtcdOpsError, Identities } from '@etcd-ops/core';

/** What `inspect` tells of one path, whatever it is. Facts that nobody knows are left out. */
export interface Inspection {
  kind: string;
  facts: Record<string, unknown>;
  warnings: string[];
  /** What makes it unsound, or keeps it from being read. */
  damages: EtcdOpsError[];
}

/** The working conditions of every part of an inspection. */
export interface InspectContext {
  signal: AbortSignal;
  onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
  tempDir?: string | undefined;
  /** What opens an encrypted file. */
  identities?: Identities | undefined;
}

export function hex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

export function iso(timeMs: number): string | undefined {
  return timeMs === 0 ? undefined : new Date(timeMs).toISOString();
}
