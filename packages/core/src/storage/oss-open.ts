import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { EtcdOpsError } from '../base/errors.ts';
import { OssBucket } from './oss-bucket.ts';
import { OssCalls } from './oss-calls.ts';
import { OssCredentialChain, type OssCredentials } from './oss-credentials.ts';
import { ossCredentialSources, ossPlaceOfEnvironment, proxyEnvironment } from './oss-credentials-env.ts';
import { parseOssEndpoint, type OssEndpoint } from './oss-endpoint.ts';
import { OssTransport } from './oss-transport.ts';
import type { OssStoreSpec } from './store-spec.ts';

const IDLE_TIMEOUT_MS = 60_000;
const SOCKETS_MAX = 256;

/**
 * The bucket that a spec names, with the key that is at hand; nothing is sent yet.
 * @throws EtcdOpsError STORE_CREDENTIALS when there is no key that can be used, CONFIG_INVALID when the endpoint is missing or none.
 */
export async function openOssBucket(
  spec: OssStoreSpec,
  {
    chain = new OssCredentialChain(ossCredentialSources(spec.credentials)),
    proxyEnv = proxyEnvironment(),
  }: { chain?: OssCredentialChain; proxyEnv?: NodeJS.ProcessEnv } = {},
): Promise<OssBucket> {
  const { bucket, sse } = spec;
  const ca = spec.caFile === undefined ? [] : [...getCACertificates('default'), await readAuthority(spec.caFile)];
  const credentials = await chain.get();
  const around = ossPlaceOfEnvironment();
  const locate = (found: OssCredentials): OssEndpoint =>
    parseOssEndpoint(spec.endpoint ?? found.endpoint ?? around.endpoint, {
      bucket,
      region: spec.region ?? found.region ?? around.region,
      addressing: spec.addressing,
    });
  const transport = new OssTransport({
    ca,
    insecureSkipVerify: spec.insecureSkipVerify ?? false,
    idleTimeoutMs: spec.requestTimeoutMs ?? IDLE_TIMEOUT_MS,
    socketsMax: SOCKETS_MAX,
    proxyEnv,
  });
  const calls = new OssCalls(credentials, { bucket, chain, transport, locate });
  return new OssBucket(calls, { bucket, sse, conditionalPut: spec.conditionalPut ?? true });
}

async function readAuthority(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The certificates in ${path} cannot be read`,
      remedy: 'Name a file of PEM certificates that the user that etcd-ops runs as may read.',
      cause: error,
    });
  }
}
