import { once } from 'node:events';
import type { EtcdAddress } from '../access.ts';
import { openTls, type TlsSocketOptions } from './open-socket.ts';

const PROBE_TIMEOUT_MS = 3_000;
/** What an HTTP/2 client says first (RFC 9113 part 3.4): connection preface and an empty SETTINGS frame. */
const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

/**
 * Tries one handshake. Resolves when the server went on with HTTP/2 behind it, which is after it has judged the client's certificate
 * (in TLS 1.3 the client has finished before that).
 * @throws the error of the socket, as Node and OpenSSL word it.
 */
export async function probeTls(address: EtcdAddress, options: TlsSocketOptions): Promise<void> {
  const socket = openTls(address, options);
  const timer = setTimeout(() => socket.destroy(new Error(`no answer for ${PROBE_TIMEOUT_MS} ms`)), PROBE_TIMEOUT_MS);
  try {
    await once(socket, 'secureConnect');
    socket.write(CLIENT_PREFACE);
    const ended = once(socket, 'close').then(() => {
      throw new Error('the server closed the connection');
    });
    await Promise.race([once(socket, 'data'), ended]);
  } finally {
    clearTimeout(timer);
    socket.on('error', () => {});
    socket.destroy();
  }
}
