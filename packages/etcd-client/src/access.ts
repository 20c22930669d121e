import { EtcdOpsError } from '@etcd-ops/core';

export const CONNECT_TIMEOUT_DEFAULT_MS = 5_000;
export const REQUEST_TIMEOUT_DEFAULT_MS = 10_000;

/** How a cluster is reached. Holds no secret itself unless `auth.password` is used. */
export interface EtcdAccess {
  /** `host:port`, or with `http://` or `https://`. Without a scheme: https when TLS files are given, else http. */
  endpoints: string[];
  tls?: EtcdTlsAccess;
  /** The credential for capture: read on the whole key space. Serves the maintenance calls, too, when they have none of their own. */
  auth?: EtcdAuth;
  /** The credential for snapshots, HashKV, defragmentation and auth status: a user with the role `root`. Alone it serves every call. */
  maintenanceAuth?: EtcdAuth;
  /** For reaching a member the first time; default 5 s. */
  connectTimeoutMs?: number;
  /** For calls that etcd answers at once; default 10 s. */
  requestTimeoutMs?: number;
  /** Told of what does not stop a call but needs a person: new TLS files that cannot be used, an endpoint of another cluster. */
  onWarning?: ((error: EtcdOpsError) => void) | undefined;
}

export interface EtcdTlsAccess {
  /** PEM; default: the CAs that Node trusts. */
  caFile?: string;
  /** PEM; with `keyFile`. */
  certFile?: string;
  keyFile?: string;
  /** Accepts any certificate of the server. Default false. */
  insecureSkipVerify?: boolean;
}

export interface EtcdAuth {
  username: string;
  password?: string;
  /** Read again at each login; one newline at its end is not part of the password. */
  passwordFile?: string;
}

export interface EtcdAddress {
  /** As the user wrote it, for messages. */
  endpoint: string;
  /** `host:port`. */
  target: string;
  secure: boolean;
}

/** @throws EtcdOpsError CONFIG_INVALID naming the endpoint. */
export function parseEndpoint(endpoint: string, tls: EtcdTlsAccess | undefined): EtcdAddress {
  const secureByDefault =
    tls !== undefined && Object.values(tls).some((value) => value !== undefined && value !== false);
  const hasScheme = endpoint.includes('://');
  let url: URL;
  try {
    url = new URL(hasScheme ? endpoint : `${secureByDefault ? 'https' : 'http'}://${endpoint}`);
  } catch (error) {
    throw invalid(endpoint, 'is not host:port or a URL', error);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(endpoint, 'must begin with http:// or https://');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('with a password in it', 'is refused; use the auth settings');
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw invalid(endpoint, 'must end after the port');
  // The URL parser drops a port that is the scheme's own, also when it was written.
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return { endpoint, target: `${url.hostname}:${port}`, secure: url.protocol === 'https:' };
}

function invalid(endpoint: string, rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', { message: `The etcd endpoint ${endpoint} ${rule}`, cause });
}
