import type { EventEmitter } from 'node:events';

/** Errors of writing to somebody who has gone: a pipe closed early (`| head`), a terminal that is no more. */
const GONE_CODES: ReadonlySet<unknown> = new Set(['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

interface Output extends EventEmitter {
  readonly isTTY?: boolean;
}

interface Program extends EventEmitter {
  readonly pid: number;
  readonly stdout: Output;
  readonly stderr: Output;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

/**
 * What is under way does not hang on somebody watching it. Writing to a closed pipe or terminal is passed over: the work goes on and
 * the exit code stays its own. A hang-up stops the program as SIGTERM does, once, if it has a terminal to lose; under nohup or a supervisor
 * it goes on. (Node forgets that nohup had SIGHUP ignored, so that it cannot be asked.)
 */
export function surviveClosedTerminal(program: Program): void {
  for (const output of [program.stdout, program.stderr]) {
    output.on('error', (error: unknown) => {
      if (!(error instanceof Error && 'code' in error && GONE_CODES.has(error.code))) throw error;
    });
  }
  const hasTerminal = program.stdout.isTTY === true || program.stderr.isTTY === true;
  let hungUp = false;
  program.on('SIGHUP', () => {
    if (hungUp || !hasTerminal) return;
    hungUp = true;
    program.kill(program.pid, 'SIGTERM');
  });
}
