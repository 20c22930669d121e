import type { OssRequest } from './oss-request.ts';
import type { ServerFault, ServerFaultEffect } from './server-faults.ts';

/** What goes wrong with a request. */
export type OssFaultEffect =
  | ServerFaultEffect
  /** One bit of the answer's body is wrong. */
  | { kind: 'damage-answer' }
  /** One bit of the request's body is wrong before it is stored, and the server does not notice. */
  | { kind: 'damage-stored' }
  /** The answer states another checksum than that of what is stored. */
  | { kind: 'wrong-checksum' };

export type OssFault = ServerFault<OssRequest, OssFaultEffect>;

/** The same bytes but for one bit in the middle. */
export function withWrongBit(body: Buffer): Buffer {
  const damaged = Buffer.from(body);
  const middle = damaged.length >>> 1;
  if (damaged.length > 0) damaged[middle] = damaged[middle]! ^ 0x10;
  return damaged;
}
