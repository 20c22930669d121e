/** What can go wrong with a request to any server. */
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

export interface ServerFault<Request extends { operation: string }, Effect = ServerFaultEffect> {
  /** Which operation (`PutObject`); without it, any. */
  operation?: string;
  /** Narrows it further. The body is not there yet. */
  matches?: (request: Request) => boolean;
  /** How many requests it hits; default 1. */
  times?: number;
  /** Hits only each so-manieth of the requests that fit; default 1. */
  every?: number;
  effect: Effect;
}

/** Faults in the order in which they were added; each request takes the first that fits it. */
export class ServerFaults<Request extends { operation: string }, Effect = ServerFaultEffect> {
  #waiting: (ServerFault<Request, Effect> & { left: number; met: number })[] = [];

  add(fault: ServerFault<Request, Effect>): void {
    this.#waiting.push({ ...fault, left: fault.times ?? 1, met: 0 });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** How many hits are still to come. */
  get left(): number {
    return this.#waiting.reduce((sum, fault) => sum + fault.left, 0);
  }

  take(request: Request): Effect | undefined {
    const fitting = this.#waiting.filter(
      ({ operation, matches }) =>
        (operation === undefined || operation === request.operation) && (matches === undefined || matches(request)),
    );
    for (const candidate of fitting) candidate.met++;
    const fault = fitting.find(({ met, every = 1 }) => met % every === 0);
    if (fault === undefined) return undefined;
    fault.left--;
    if (fault.left <= 0) this.#waiting = this.#waiting.filter((other) => other !== fault);
    return fault.effect;
  }
}
