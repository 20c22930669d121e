/** After so many answers one question at a time shows again how short the latency is without the others. */
const GENERATION_ANSWERS = 2_000;
/** Above this multiple of the shortest latency (and this much on top) etcd or the way to it is busy. */
const BUSY_FACTOR = 2;
const BUSY_SLACK_MS = 1;
const BACK_OFF = 0.7;
/** Below one question at a time it rests between them: a hundredth of the time is spent asking, at least. */
const SHARE_MIN = 0.01;
const RECOVERY = 1.5;
const REST_MS_MAX = 1_000;

/**
 * How many questions may be open at a time, by how long the answers take: one more after each round that went well, a third less after
 * one in which they took clearly longer than they can; less than one means rests between single questions. What makes etcd slow for us makes it slow for its clients.
 */
export class AdaptiveLimit {
  readonly #max: number;
  #limit = 1;
  #roundAnswers = 0;
  #roundMs = 0;
  #generationAnswers = 0;
  #shortestMs = Infinity;

  constructor(max: number) {
    this.#max = max;
  }

  get current(): number {
    return Math.max(1, Math.floor(this.#limit));
  }

  /** How long to ask nothing after an answer that took so long. */
  restMs(latencyMs: number): number {
    return this.#limit >= 1 ? 0 : Math.min(REST_MS_MAX, latencyMs * (1 / this.#limit - 1));
  }

  answered(latencyMs: number): void {
    this.#shortestMs = Math.min(this.#shortestMs, latencyMs);
    if (++this.#generationAnswers >= GENERATION_ANSWERS) this.#beginGeneration();
    this.#roundMs += latencyMs;
    if (++this.#roundAnswers < this.current) return;
    const meanMs = this.#roundMs / this.#roundAnswers;
    this.#limit =
      meanMs > this.#shortestMs * BUSY_FACTOR + BUSY_SLACK_MS
        ? Math.max(SHARE_MIN, this.#limit * BACK_OFF)
        : Math.min(this.#max, this.#limit < 1 ? this.#limit * RECOVERY : this.#limit + 1);
    this.#endRound();
  }

  failed(): void {
    this.#limit = Math.min(1, this.#limit * BACK_OFF);
    this.#endRound();
  }

  #endRound(): void {
    this.#roundAnswers = 0;
    this.#roundMs = 0;
  }

  #beginGeneration(): void {
    this.#generationAnswers = 0;
    this.#shortestMs = Infinity;
    this.#limit = Math.min(1, this.#limit);
    this.#endRound();
  }
}
