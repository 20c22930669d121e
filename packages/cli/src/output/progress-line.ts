import { formatBytes } from './table.ts';

export type ProgressMode = 'auto' | 'plain' | 'json' | 'none';

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_PERIOD_MS = 100;
const JSON_PERIOD_MS = 1_000;
const PLAIN_PERIOD_MS = 3_000;
/** Before this much time has passed, a rate is a guess and an ETA a lie. */
const ETA_AFTER_MS = 500;
const CLEAR_LINE = '\r\u001B[K';

/** Phase, bytes, rate and the time that is left. */
export class ProgressLine {
  readonly #output: ProgressOutput;
  readonly #style: 'line' | 'plain' | 'json' | 'none';
  readonly #now: () => number;
  #phase = '';
  #phaseBeganMs = 0;
  #printedAtMs: number;

  constructor(output: ProgressOutput, mode: ProgressMode = 'auto', now: () => number = () => performance.now()) {
    this.#output = output;
    this.#style = mode === 'auto' ? (output.isTTY === true ? 'line' : 'plain') : mode;
    this.#now = now;
    this.#printedAtMs = now();
  }

  /** `bytesTotal` is 0 when nobody knows it. */
  update(phase: string, bytesDone: number, bytesTotal: number): void {
    if (this.#style === 'none') return;
    const now = this.#now();
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#phaseBeganMs = now;
    }
    if (now - this.#printedAtMs < PERIODS_MS[this.#style]) return;
    this.#printedAtMs = now;
    const facts = progressFacts({ phase, bytesDone, bytesTotal, elapsedMs: now - this.#phaseBeganMs });
    if (this.#style === 'json') this.#output.write(`${JSON.stringify({ progress: facts })}\n`);
    else if (this.#style === 'plain') this.#output.write(`${progressText(facts)}\n`);
    else this.#output.write(CLEAR_LINE + progressText(facts).slice(0, (this.#output.columns ?? 80) - 1));
  }

  /** Takes the moving line away, so that what is printed next begins on a line of its own. */
  clear(): void {
    if (this.#style === 'line') this.#output.write(CLEAR_LINE);
  }
}

const PERIODS_MS = { line: REDRAW_PERIOD_MS, plain: PLAIN_PERIOD_MS, json: JSON_PERIOD_MS } as const;

/** A line of `--progress json`; fields are only ever added. */
export interface ProgressFacts {
  phase: string;
  bytesDone: number;
  /** 0 when nobody knows it. */
  bytesTotal: number;
  bytesPerSecond: number;
  etaSeconds?: number;
}

export function progressFacts(given: {
  phase: string;
  bytesDone: number;
  bytesTotal: number;
  elapsedMs: number;
}): ProgressFacts {
  const { phase, bytesDone, bytesTotal, elapsedMs } = given;
  const bytesPerSecond = Math.round((bytesDone / Math.max(1, elapsedMs)) * 1000);
  const known = bytesTotal > 0 && bytesPerSecond > 0 && elapsedMs >= ETA_AFTER_MS;
  return {
    phase,
    bytesDone,
    bytesTotal,
    bytesPerSecond,
    ...(known ? { etaSeconds: Math.ceil(Math.max(0, bytesTotal - bytesDone) / bytesPerSecond) } : {}),
  };
}

export function progressText({ phase, bytesDone, bytesTotal, bytesPerSecond, etaSeconds }: ProgressFacts): string {
  const share =
    bytesTotal > 0
      ? ` of ${formatBytes(bytesTotal)} (${Math.min(100, Math.floor((bytesDone / bytesTotal) * 100))} %)`
      : '';
  const left = etaSeconds === undefined ? '' : `, ${formatClock(etaSeconds)} left`;
  return `${phase}: ${formatBytes(bytesDone)}${share}, ${formatBytes(bytesPerSecond)}/s${left}`;
}

/** 75 -> '1:15'; 3675 -> '1:01:15'. */
function formatClock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}
