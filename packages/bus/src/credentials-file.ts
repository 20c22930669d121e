import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from 'nats';
import { EtcdOpsError } from '@etcd-ops/core';

/**
 * Proves who we are with what a file holds at each connection, so that a JWT that has run out, or a key that was replaced, is followed by
 * the new one without a restart: the server ends the connection, and the next one is made with the file as it is then.
 * @throws EtcdOpsError CONFIG_INVALID when the file cannot be read, or holds no credentials, at first.
 */
export function credentialsFileAuthenticator(path: string): Authenticator {
  return followed(path, (bytes) => {
    const authenticate = credsAuthenticator(bytes);
    // Both halves are looked for at once: who finds out at the first connection is told that NATS refused them.
    authenticate('');
    return authenticate;
  });
}

/** The same for the seed of an nkey. */
export function nkeyFileAuthenticator(path: string): Authenticator {
  return followed(path, (bytes) => {
    const seed = new TextEncoder().encode(new TextDecoder().decode(bytes).trim());
    const authenticate = nkeyAuthenticator(seed);
    authenticate('');
    return authenticate;
  });
}

function followed(path: string, parse: (bytes: Uint8Array) => Authenticator): Authenticator {
  const read = (): Authenticator => {
    try {
      return parse(readFileSync(path));
    } catch (cause) {
      const isMissing = cause instanceof Error && 'syscall' in cause;
      // The library's own words would name what it found.
      throw new EtcdOpsError('CONFIG_INVALID', {
        message: `The file of NATS credentials ${path} ${isMissing ? 'cannot be read' : 'holds none'}`,
        ...(isMissing ? { cause } : {}),
      });
    }
  };
  let last = read();
  return (nonce) => {
    try {
      last = read();
    } catch {
      // Half written, or away for a moment: what it held before may still be good.
    }
    return last(nonce);
  };
}
