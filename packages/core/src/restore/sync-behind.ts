import type { FileHandle } from 'node:fs/promises';

/** So much is written before the disk is asked to take it. Larger pieces hold up the writer behind them, smaller ones cost a commit each. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** Lets the disk take its share of a file while it is written: a sync at the end then has little left to do. */
export class SyncBehind {
  readonly #file: FileHandle;
  #syncing: Promise<unknown> | undefined;
  #syncedFrom = 0;
  #failure: Error | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The file is written up to here. */
  reached(position: number): void {
    if (this.#syncing !== undefined || position - this.#syncedFrom < SYNC_BYTES) return;
    this.#syncedFrom = position;
    this.#syncing = this.#file.datasync().then(
      () => (this.#syncing = undefined),
      (error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      },
    );
  }

  /** Waits until the file may be closed. */
  async settle(): Promise<void> {
    await this.#syncing;
  }

  /** The system tells of a write that failed later only once, and this may have been the one who was told. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
