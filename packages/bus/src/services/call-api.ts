import { EtcdOpsError } from '@etcd-ops/core';
import { ErrorCode, NatsError, ServiceErrorCodeHeader, type Msg } from 'nats';
import type { z } from 'zod';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { apiSubject } from '../names.ts';
import { apiErrorSchema, errorOf } from './api-error.ts';

const TIMEOUT_MS = 12_000;

/**
 * Asks `etcdops.<endpoint>`.
 * @throws EtcdOpsError with the code of the other side; BUS_UNREACHABLE when nobody serves it or answers in time
 */
export async function callApi<Answer>(
  bus: Bus,
  endpoint: string,
  request: unknown,
  options: { answer: z.ZodType<Answer>; timeoutMs?: number },
): Promise<Answer> {
  const subject = apiSubject(endpoint);
  let message: Msg;
  try {
    message = await bus.nc.request(subject, JSON.stringify(request), { timeout: options.timeoutMs ?? TIMEOUT_MS });
  } catch (error) {
    if (error instanceof NatsError && error.code === ErrorCode.NoResponders) throw nobody(subject, error);
    throw toBusError(error, `Asking ${subject}`);
  }
  const body = parse(subject, message);
  if ((message.headers?.get(ServiceErrorCodeHeader) ?? '') !== '') {
    const failure = apiErrorSchema.safeParse(body);
    if (failure.success) throw errorOf(failure.data);
    throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message: `${subject} failed without saying why` });
  }
  const answer = options.answer.safeParse(body);
  if (answer.success) return answer.data;
  const text = `The answer of ${subject} does not follow its schema`;
  throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message: text, cause: answer.error });
}

function parse(subject: string, message: Msg): unknown {
  try {
    return JSON.parse(message.string());
  } catch (cause) {
    throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message: `The answer of ${subject} is no JSON`, cause });
  }
}

function nobody(subject: string, cause: unknown): EtcdOpsError {
  return new EtcdOpsError('BUS_UNREACHABLE', {
    message: `Nobody serves ${subject}`,
    remedy: 'Start the service that does: the restorer, or `etcd-ops up`.',
    cause,
  });
}
