import { status, type Channel, type InterceptingListener, type Metadata } from '@grpc/grpc-js';
import type { CallStatus } from './etcd-failure.ts';

export interface UnaryCallOptions {
  channel: Channel;
  /** `/etcdserverpb.KV/Range` */
  path: string;
  metadata: Metadata;
  request: Buffer;
  /** Of the whole call. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export type UnaryOutcome = { ok: true; message: Buffer } | { ok: false; failure: CallStatus };

/** One gRPC call with one message each way, below grpc-js's stream classes: messages are the bytes themselves. Never rejects. */
export function unaryCall({
  channel,
  path,
  metadata,
  request,
  timeoutMs,
  signal,
}: UnaryCallOptions): Promise<UnaryOutcome> {
  return new Promise((resolve) => {
    const call = channel.createCall(path, Date.now() + timeoutMs, null, null, null);
    const abort = (): void => call.cancelWithStatus(status.CANCELLED, 'cancelled here');
    let answer: Buffer | undefined;
    const listener: InterceptingListener = {
      onReceiveMetadata: () => {},
      onReceiveMessage: (message: Buffer) => {
        answer ??= message;
      },
      onReceiveStatus: ({ code, details }) => {
        signal?.removeEventListener('abort', abort);
        if (code !== status.OK) resolve({ ok: false, failure: { code, details } });
        else if (answer !== undefined) resolve({ ok: true, message: answer });
        else resolve({ ok: false, failure: { code: status.INTERNAL, details: 'an answer without a message' } });
      },
    };
    call.start(metadata, listener);
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    call.sendMessageWithContext({}, request);
    call.halfClose();
    call.startRead();
  });
}
