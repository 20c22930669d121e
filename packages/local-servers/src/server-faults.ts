/** What goes wrong with a request. */
export type ServerFaultEffect =
  /** Refused with a status and a code of the service. */
  | { kind: 'refuse'; status: number; code: string; message?: string; retryAfterSeconds?: number }
  /** The connection is reset after so many bytes of the request's body; nothing is done. */
  | { kind: 'cut-request'; afterBytes: number }
  /** The request is done, and the connection reset before its answer. */
  | { kind: 'lose-answer' }
  /** The connection is reset in the middle of the answer's body. */
  | { kind: 'half-answer' }
  /** The answer waits. */
  | { kind: 'hold'; until: Promise<unknown> }
  /** The answer's body comes in small chunks with a pause before each. */
  | { kind: 'trickle'; chunkBytes: number; pauseMs: number };

export interface ServerFault<Request extends { operation: string }> {
  /** Which operation (`PutObject`); without it, any. */
  operation?: string;
  /** Narrows it further. The body is not there yet. */
  matches?: (request: Request) => boolean;
  /** How many requests it hits; default 1. */
  times?: number;
  effect: ServerFaultEffect;
}

/** Faults in the order in which they were added; each request takes the first that fits it. */
export class ServerFaults<Request extends { operation: string }> {
  #waiting: (ServerFault<Request> & { left: number })[] = [];

  add(fault: ServerFault<Request>): void {
    this.#waiting.push({ ...fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** How many hits are still to come. */
  get left(): number {
    return this.#waiting.reduce((sum, fault) => sum + fault.left, 0);
  }

  take(request: Request): ServerFaultEffect | undefined {
    const fault = this.#waiting.find(
      ({ operation, matches }) =>
        (operation === undefined || operation === request.operation) && (matches === undefined || matches(request)),
    );
    if (fault === undefined) return undefined;
    fault.left--;
    if (fault.left <= 0) this.#waiting = this.#waiting.filter((other) => other !== fault);
    return fault.effect;
  }
}
