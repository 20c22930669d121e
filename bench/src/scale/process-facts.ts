import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const TICKS_PER_SECOND = 100;
const POLL_MS = 50;

/** User and system time. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface MemoryFacts {
  rssMb: number;
  /** Pages that processes share, like the program itself, counted once over all of them. */
  pssMb: number;
  /** The most RSS since the beginning, or since `forgetPeak`. */
  peakMb: number;
}

export function memoryOf(pid: number): MemoryFacts {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const pss = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return { rssMb: mbOf(status, 'VmRSS'), peakMb: mbOf(status, 'VmHWM'), pssMb: mbOf(pss, 'Pss') };
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function mbOf(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
}

/** @throws Error with `message` when the time is over, or the reason of the signal. */
export async function until(
  check: () => boolean | Promise<boolean>,
  options: { timeoutMs: number; message: () => string; signal?: AbortSignal | undefined },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(options.message());
    await delay(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
