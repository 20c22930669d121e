import { isEtcdOpsError } from '@etcd-ops/core';
import {
  destination,
  pino,
  stdTimeFunctions,
  type DestinationStream,
  type LogFn,
  type Logger as PinoLogger,
} from 'pino';
import type { LogLevel } from './config/base-settings.ts';
import { eventOf } from './log-events/index-of-events.ts';
import { prettyLine } from './pretty-line.ts';
import { REDACTED, Redaction, SECRET_PATHS } from './redaction.ts';

/**
 * One event, one line: a fixed sentence that `log-events` has a name for, everything that varies as fields. `error` holds what was thrown.
 * Levels by consequence: error = a person should look, warn = it will come right by itself but should not be usual, info = state changed.
 */
export type Logger = PinoLogger;

export interface LoggerOptions {
  level: LogLevel;
  /** The process: `scheduler`, or `etcd-ops` when all services share one. */
  name: string;
  /** Lines for people instead of JSON. */
  pretty?: boolean;
  redaction?: Redaction;
  /** Default: standard error, written synchronously so that the last line before an exit is never lost. */
  stream?: DestinationStream;
}

export function createLogger(options: LoggerOptions): Logger {
  const redaction = options.redaction ?? new Redaction();
  const stream = options.stream ?? destination({ dest: 2, sync: true });
  return pino(
    {
      name: options.name,
      level: options.level,
      base: { name: options.name },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...SECRET_PATHS], censor: REDACTED },
      serializers: { error: serializeError, err: serializeError },
      hooks: {
        logMethod: withEvent,
        streamWrite: (line) => redaction.apply(options.pretty === true ? prettyLine(line) : line),
      },
    },
    stream,
  );
}

/** Each line names its event beside its sentence. The table knows them, so that calls stay a level, facts and a sentence. */
function withEvent(this: PinoLogger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, second] = args as unknown[];
  const event = eventOf(typeof first === 'string' ? first : second);
  if (event === undefined) return method.apply(this, args);
  const facts = typeof first === 'object' ? first : {};
  return method.apply(this, [{ event, ...facts }, typeof first === 'string' ? first : second] as Parameters<LogFn>);
}

const CAUSES_MAX = 5;

/** Operational errors are told by code, message and remedy; a stack is for bugs. */
export function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const cause =
    error.cause === undefined || depth >= CAUSES_MAX ? {} : { cause: serializeError(error.cause, depth + 1) };
  if (isEtcdOpsError(error)) return { code: error.code, message: error.message, remedy: error.remedy, ...cause };
  const code = 'code' in error && ['string', 'number'].includes(typeof error.code) ? { code: error.code } : {};
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}
