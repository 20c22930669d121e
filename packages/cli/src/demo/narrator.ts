import { formatDuration } from '../output/table.ts';

/** Tells the story: one line a step, with its time; on a terminal the running step shows its progress. */
export class Narrator {
  readonly #output: NodeJS.WriteStream;
  readonly #startedAtMs = performance.now();
  #step: { title: string; startedAtMs: number } | undefined;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  /** A heading between steps. */
  chapter(title: string): void {
    this.#output.write(`\n${title}\n`);
  }

  /** Runs one step of the story and prints it with its time; `act` may answer with words that end the line. */
  async step<T>(
    title: string,
    act: (progress: (words: string) => void) => Promise<T>,
    conclude?: (result: T) => string,
  ): Promise<T> {
    this.#step = { title, startedAtMs: performance.now() };
    this.#draft('');
    try {
      const result = await act((words) => this.#draft(words));
      this.#finish('✓', conclude?.(result) ?? '');
      return result;
    } catch (error) {
      this.#finish('✗', '');
      throw error;
    }
  }

  line(text: string): void {
    this.#output.write(`${text}\n`);
  }

  /** Redraws the running step; elsewhere than on a terminal only its end is printed. */
  #draft(words: string): void {
    if (!this.#output.isTTY || this.#step === undefined) return;
    this.#output.write(`\r\u001B[K  … ${this.#step.title}${words === '' ? '' : `  ${words}`}`);
  }

  #finish(mark: string, words: string): void {
    const step = this.#step!;
    this.#step = undefined;
    const clear = this.#output.isTTY ? '\r\u001B[K' : '';
    const took = formatDuration(performance.now() - step.startedAtMs);
    this.#output.write(`${clear}  ${mark} ${step.title}${words === '' ? '' : `: ${words}`} (${took})\n`);
  }
}
