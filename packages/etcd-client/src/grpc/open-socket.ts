import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { EtcdAddress } from '../access.ts';
import type { TlsMaterial } from './tls-files.ts';

/** A name with several addresses: they are tried one after another, each for so long. Node's own 250 ms are too short for another continent. */
const ATTEMPT_TIMEOUT_MS = 1_500;

export interface TlsSocketOptions {
  /** Undefined: whatever the server shows. */
  material: TlsMaterial | undefined;
  verify: boolean;
}

/** Is ready at `connect`. */
export function openTcp(address: EtcdAddress): Socket {
  return connectTcp({ ...placeOf(address), autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS }).setNoDelay(true);
}

/** Is ready at `secureConnect`; in TLS 1.3 the server judges the client's certificate after that. */
export function openTls(address: EtcdAddress, { material, verify }: TlsSocketOptions): TLSSocket {
  const { host, port } = placeOf(address);
  const options: ConnectionOptions & { autoSelectFamilyAttemptTimeout: number } = {
    host,
    port,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: verify,
    ...(isIP(host) === 0 && { servername: host }),
    ...(material !== undefined && { secureContext: material.context }),
  };
  return connectTls(options).setNoDelay(true);
}

function placeOf({ target }: EtcdAddress): { host: string; port: number } {
  const at = target.lastIndexOf(':');
  return { host: target.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(target.slice(at + 1)) };
}
