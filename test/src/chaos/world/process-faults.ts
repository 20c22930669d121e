/** What `fault-hook.ts` does to a process. Written to its control file as JSON. */
export interface ProcessFaults {
  /** Added to the wall clock; monotonic time is left alone, as by a step of a real clock. */
  clockOffsetMs: number;
  /** Writing below these directories fails with ENOSPC. */
  diskFull: string[];
  /** How long each write to a disk takes longer. */
  diskDelayMs: number;
}

export const NO_FAULTS: ProcessFaults = { clockOffsetMs: 0, diskFull: [], diskDelayMs: 0 };
