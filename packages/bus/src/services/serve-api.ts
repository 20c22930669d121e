import { EtcdOpsError } from '@etcd-ops/core';
import { ErrorCode, NatsError, type Service, type ServiceMsg } from 'nats';
import { z } from 'zod';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { API_NAME } from '../names.ts';
import { errorBody, statusOf, type ApiErrorBody } from './api-error.ts';
import { noteAnswer } from './endpoint-stats.ts';
import { invalidRequest } from './invalid-request.ts';

export interface ApiEndpoint<Request = unknown, Answer = unknown> {
  /** The last token of its subject: `restore` of `etcdops.restore`. */
  name: string;
  description?: string;
  request: z.ZodType<Request>;
  answer: z.ZodType<Answer>;
  /** Answers soon: long work goes into the queue, and its id is the answer. */
  handler(request: Request, context: { signal: AbortSignal }): Promise<Answer>;
  /** For one that may have to read much; default that of the service. */
  timeoutMs?: number;
}

export interface ServeApiOptions {
  /** Default `etcdops`; shown by `nats micro ls`. */
  name?: string;
  /** Semantic version. */
  version: string;
  description?: string;
  endpoints: readonly ApiEndpoint[];
  /** Of one handler; default 10 s. */
  timeoutMs?: number;
  /** Requests at the same time; default 64. */
  concurrentMax?: number;
  /** The whole error of an answer that only says INTERNAL; for the log. */
  onError?: (endpoint: string, error: unknown) => void;
}

export interface ServedApi extends AsyncDisposable {
  /** Answers what has begun, takes nothing new. */
  stop(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
const CONCURRENT_MAX = 64;

/** Types an endpoint by its schemas. */
export function apiEndpoint<Request, Answer>(endpoint: ApiEndpoint<Request, Answer>): ApiEndpoint {
  // The server below parses the request with this very schema, so the handler gets what it asked for.
  return endpoint;
}

/**
 * Serves `etcdops.<endpoint>` to `nats req` and to the command line. Every request is answered: with the answer, or
 * with `{error:{code,message,issues}}`. The client library would let the caller of a rejected handler wait for its
 * timeout, and would send the text of a thrown error, so nothing of a handler reaches it unwrapped.
 */
export async function serveApi(bus: Bus, options: ServeApiOptions): Promise<ServedApi> {
  const { name = API_NAME, version, description, endpoints } = options;
  const stopping = new AbortController();
  let service: Service;
  try {
    service = await bus.nc.services.add({ name, version, ...(description === undefined ? {} : { description }) });
  } catch (error) {
    throw toBusError(error, `Serving ${name}`);
  }
  const limits = { running: 0, concurrentMax: options.concurrentMax ?? CONCURRENT_MAX };
  const group = service.addGroup(API_NAME);
  for (const endpoint of endpoints) {
    group.addEndpoint(endpoint.name, {
      handler: (error, message) => {
        // The service closes itself on a subscription error; who runs it sees the connection's status.
        if (error === null) void answer(endpoint, message, { ...options, service, limits, signal: stopping.signal });
      },
      metadata: metadataOf(endpoint),
    });
  }
  const stop = async () => {
    await service.stop();
    stopping.abort();
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** Shown by `nats micro info`: what to send and what comes back, as JSON Schema. */
function metadataOf({ description, request, answer: schema }: ApiEndpoint): Record<string, string> {
  const jsonSchema = (of: z.ZodType, io: 'input' | 'output'): string =>
    JSON.stringify(z.toJSONSchema(of, { io, unrepresentable: 'any' }));
  return {
    ...(description === undefined ? {} : { description }),
    format: 'application/json',
    request_schema: jsonSchema(request, 'input'),
    response_schema: jsonSchema(schema, 'output'),
  };
}

interface AnswerOptions extends ServeApiOptions {
  service: Service;
  limits: { running: number; concurrentMax: number };
  signal: AbortSignal;
}

async function answer(endpoint: ApiEndpoint, message: ServiceMsg, options: AnswerOptions): Promise<void> {
  const { limits, service } = options;
  const begun = performance.now();
  limits.running++;
  let body: unknown;
  let failure: ApiErrorBody | undefined;
  try {
    if (limits.running > limits.concurrentMax) throw tooMany(limits.concurrentMax);
    const request = endpoint.request.safeParse(parseBody(message));
    if (request.success) body = endpoint.answer.parse(await withDeadline(endpoint, request.data, options));
    else failure = invalidRequest(request.error, endpoint);
  } catch (error) {
    failure = errorBody(error);
    options.onError?.(endpoint.name, error);
  } finally {
    limits.running--;
  }
  if (!respond(message, body, failure)) {
    const tooLarge = new EtcdOpsError('LIMIT_EXCEEDED', {
      message: `The answer of ${endpoint.name} is larger than the NATS server takes (max_payload)`,
      remedy: 'Ask for less, or raise max_payload of the NATS server.',
    });
    failure = errorBody(tooLarge);
    options.onError?.(endpoint.name, tooLarge);
    respond(message, undefined, failure);
  }
  noteAnswer(service, endpoint.name, { elapsedMs: performance.now() - begun, errorCode: failure?.error.code });
}

/** False when it is larger than the server takes. */
function respond(message: ServiceMsg, body: unknown, failure: ApiErrorBody | undefined): boolean {
  try {
    if (failure === undefined) message.respond(JSON.stringify(body));
    else message.respondError(statusOf(failure), failure.error.code, Buffer.from(JSON.stringify(failure)));
    return true;
  } catch (error) {
    // Else the connection closed: the caller times out, nobody else suffers.
    return !(error instanceof NatsError && error.code === ErrorCode.MaxPayloadExceeded);
  }
}

async function withDeadline(endpoint: ApiEndpoint, request: unknown, options: AnswerOptions): Promise<unknown> {
  const timeoutMs = endpoint.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(tooLate(endpoint.name, timeoutMs));
  deadline.addEventListener('abort', onAbort, { once: true });
  try {
    // A handler that throws at once must look like one that rejects.
    return await Promise.race([Promise.resolve().then(() => endpoint.handler(request, { signal })), late]);
  } finally {
    deadline.removeEventListener('abort', onAbort);
  }
}

function parseBody(message: ServiceMsg): unknown {
  if (message.data.length === 0) return {};
  try {
    return JSON.parse(message.string());
  } catch (cause) {
    throw new EtcdOpsError('USAGE', {
      message: 'The request is no JSON',
      remedy: `Write it as \`nats req ${API_NAME}.status '{"cluster":"prod"}'\`: names and texts in double quotes.`,
      cause,
    });
  }
}

function tooMany(concurrentMax: number): EtcdOpsError {
  return new EtcdOpsError('BUS_FAILED', {
    message: `More than ${concurrentMax} requests at the same time`,
    remedy: 'Ask again in a moment.',
  });
}

function tooLate(endpoint: string, timeoutMs: number): EtcdOpsError {
  return new EtcdOpsError('BUS_FAILED', {
    message: `${endpoint} was not answered within ${timeoutMs} ms`,
    remedy: 'Ask again; the log of the service may tell what held it up.',
  });
}
