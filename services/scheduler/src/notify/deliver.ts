import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { Notification } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { processEnvironment } from '@etcd-ops/service-kit';
import type { Notifications } from './notification-settings.ts';

const FILE_BYTES_MAX = 64 * 1024;

/** Why a call did not reach its goal: without anything that may be secret. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** Whether the same call may work later. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}

export type Channel = (notification: Notification, signal: AbortSignal) => Promise<void>;

/** The ways in which people are told. Each throws DeliveryError, or EtcdOpsError CONFIG_INVALID where a file cannot be read. */
export function channelsOf({ webhook, command, timeoutMs }: Notifications): { name: string; send: Channel }[] {
  const channels: { name: string; send: Channel }[] = [];
  if (webhook !== undefined) {
    channels.push({
      name: 'webhook',
      send: async (notification, signal) => await post(webhook, notification, timeoutMs, signal),
    });
  }
  if (command !== undefined) {
    channels.push({
      name: 'command',
      send: async (notification, signal) => await run(command, notification, timeoutMs, signal),
    });
  }
  return channels;
}

async function post(
  { url, urlFile, headersFile }: NonNullable<Notifications['webhook']>,
  notification: Notification,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const target = url ?? (await readSmall(urlFile!));
  if (!URL.canParse(target) || !/^https?:/.test(target)) throw unusable(`${urlFile} holds no URL of http or https`);
  const headers = new Headers(headersFile === undefined ? {} : headersIn(await readSmall(headersFile), headersFile));
  headers.set('content-type', 'application/json');
  headers.set('idempotency-key', notification.id);
  let response: Response;
  try {
    response = await fetch(target, {
      method: 'POST',
      headers,
      body: JSON.stringify(notification),
      // A redirect could carry the headers to somebody else.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await response.body?.cancel();
  } catch (error) {
    throw new DeliveryError(`The webhook does not answer: ${reasonOf(error)}`, true);
  }
  const { status } = response;
  if (response.ok) return;
  throw new DeliveryError(`The webhook answers ${status}`, status >= 500 || status === 408 || status === 429);
}

/** The name of what broke; its text would quote the address. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.name : 'unknown';
}

async function run(
  [program, ...words]: string[],
  notification: Notification,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { PATH, HOME, LANG } = processEnvironment();
  const ended = Promise.withResolvers<void>();
  const child = spawn(program!, words, {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ours may hold keys of stores.
    env: { PATH, HOME, LANG },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    killSignal: 'SIGKILL',
  });
  child.on('error', (error) => {
    const isMissing = 'code' in error && error.code === 'ENOENT';
    ended.reject(new DeliveryError(`The command did not end well: ${reasonOf(error)}`, !isMissing));
  });
  child.on('close', (code, signalName) => {
    if (code === 0) ended.resolve();
    else ended.reject(new DeliveryError(`The command ended with ${code ?? signalName}`, true));
  });
  // A program that reads nothing is none of our business.
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${JSON.stringify(notification)}\n`);
  await ended.promise;
}

function headersIn(text: string, path: string): [string, string][] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.map((line, index): [string, string] => {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(line);
    if (match === null) throw unusable(`Line ${index + 1} of ${path} is not 'Name: value'`);
    return [match[1]!, match[2]!];
  });
}

async function readSmall(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_BYTES_MAX), 0, FILE_BYTES_MAX, 0);
    return buffer.subarray(0, bytesRead).toString('utf8').trim();
  } catch (cause) {
    throw unusable(`The file ${path} of the notifications cannot be read`, cause);
  }
}

function unusable(message: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', { message, cause });
}
