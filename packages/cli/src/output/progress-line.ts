import { formatBytes } from './table.ts';

const REDRAW_PERIOD_MS = 100;
const PLAIN_PERIOD_MS = 3_000;

/** Phase, bytes and rate: redrawn in place on a terminal, a plain line every few seconds elsewhere. */
export class ProgressLine {
  readonly #output: NodeJS.WriteStream;
  #phase = '';
  #phaseBeganMs = 0;
  #printedAtMs = performance.now();

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  update(phase: string, bytesDone: number, bytesTotal: number): void {
    const now = performance.now();
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#phaseBeganMs = now;
    }
    const isTerminal = this.#output.isTTY;
    if (now - this.#printedAtMs < (isTerminal ? REDRAW_PERIOD_MS : PLAIN_PERIOD_MS)) return;
    this.#printedAtMs = now;
    const rate = formatBytes((bytesDone / Math.max(1, now - this.#phaseBeganMs)) * 1000);
    const share =
      bytesTotal > 0 ? ` of ${formatBytes(bytesTotal)} (${Math.floor((bytesDone / bytesTotal) * 100)} %)` : '';
    const text = `${phase}: ${formatBytes(bytesDone)}${share}, ${rate}/s`;
    this.#output.write(isTerminal ? `\r\u001B[K${text}` : `${text}\n`);
  }

  clear(): void {
    if (this.#output.isTTY) this.#output.write('\r\u001B[K');
  }
}
