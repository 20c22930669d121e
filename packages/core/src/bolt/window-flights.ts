import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { EtcdOpsError } from '../base/errors.ts';

const writeLater = promisify(write);
/** As many as are in flight between two turns of whoever settles down to one: what does not come back is new garbage each time. */
const SPARES_MAX = 4;

/** Room for pages on their way to the file. */
export interface Window {
  buffer: Buffer;
  view: DataView;
}

interface Flight {
  window: Window;
  bytes: number;
  offset: number;
}

/** Windows that threads of the pool write. The bytes of a window in flight do not change, so writing them twice is harmless. */
export class WindowFlights {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #flights = new Map<Flight, Promise<void>>();
  readonly #landed = new Set<Flight>();
  readonly #spares: Window[] = [];
  #failure: EtcdOpsError | undefined;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /** A window that came back. */
  takeSpare(): Window | undefined {
    return this.#spares.pop();
  }

  /** The window must not be touched until `takeSpare` gives it back. */
  send(flight: Flight): void {
    const flying = this.#write(flight).then(
      () => this.#return(flight),
      (error: unknown) => {
        this.#failure ??= failed(this.#path, flight.offset, error);
        this.#return(flight);
      },
    );
    this.#flights.set(flight, flying);
  }

  async settle(flightsMax: number): Promise<void> {
    while (this.#flights.size > flightsMax) await this.#flights.values().next().value;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** For a reader, or a commit, that cannot wait. */
  landNow(): void {
    for (const flight of this.#flights.keys()) {
      if (this.#landed.has(flight)) continue;
      const { window, bytes, offset } = flight;
      try {
        for (let done = 0; done < bytes;) {
          done += writeSync(this.#descriptor, window.buffer, done, bytes - done, offset + done);
        }
      } catch (error) {
        throw failed(this.#path, offset, error);
      }
      this.#landed.add(flight);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  get isEmpty(): boolean {
    return this.#flights.size === 0;
  }

  /** Resolves when no thread writes any more, whatever came of it. */
  async ended(): Promise<void> {
    await Promise.all(this.#flights.values());
  }

  #return(flight: Flight): void {
    this.#flights.delete(flight);
    this.#landed.delete(flight);
    if (this.#spares.length < SPARES_MAX) this.#spares.push(flight.window);
  }

  async #write({ window, bytes, offset }: Flight): Promise<void> {
    for (let done = 0; done < bytes;) {
      const { bytesWritten } = await writeLater(this.#descriptor, window.buffer, done, bytes - done, offset + done);
      done += bytesWritten;
    }
  }
}

function failed(path: string, offset: number, cause: unknown): EtcdOpsError {
  return new EtcdOpsError('DISK_FAILED', { message: `Cannot write ${path} at ${offset}`, cause });
}
