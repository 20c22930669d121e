import { createRequire } from 'node:module';
import { EtcdOpsError } from '../base/errors.ts';
import { loadedSilently } from './oss-credentials-env.ts';
import type { OssCredentials } from './oss-credentials.ts';
import type { OssEndpoint } from './oss-endpoint.ts';
import type { OssTransport } from './oss-transport.ts';

/*
 * The vendor's SDK, as far as it is used: it signs requests, and writes and reads their XML. Its own types leave out half of this. What
 * it is not trusted with is turned off or goes round it: retries, timeouts, HTTP, renewal of keys, reading of errors.
 */

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface WithHeaders {
  res: { status: number; headers: Headers };
}

interface CallOptions {
  headers?: Record<string, string>;
}

/** One bucket with one key. Each method sends one request. */
export interface OssSdk {
  put(name: string, body: Buffer, options: CallOptions): Promise<WithHeaders>;
  getStream(
    name: string,
    options: CallOptions,
  ): Promise<WithHeaders & { stream: AsyncIterable<Buffer> & { destroy(): void } }>;
  head(name: string, options: CallOptions): Promise<WithHeaders>;
  listV2(query: Record<string, string>): Promise<unknown>;
  deleteMulti(names: string[], options: { quiet: boolean }): Promise<{ deleted: { Key: string }[] }>;
  initMultipartUpload(name: string, options: CallOptions): Promise<{ uploadId: string }>;
  uploadPart(
    name: string,
    uploadId: string,
    partNumber: number,
    body: Buffer,
    start: number,
    end: number,
    options: CallOptions,
  ): Promise<WithHeaders & { etag: string }>;
  completeMultipartUpload(
    name: string,
    uploadId: string,
    parts: { number: number; etag: string }[],
    options: CallOptions,
  ): Promise<WithHeaders>;
  abortMultipartUpload(name: string, uploadId: string): Promise<unknown>;
  listUploads(query: Record<string, string>): Promise<{
    uploads: { name: string; uploadId: string; initiated: string }[];
    isTruncated: boolean;
    nextKeyMarker?: string;
    nextUploadIdMarker?: string;
  }>;
  listParts(
    name: string,
    uploadId: string,
    query: Record<string, string>,
  ): Promise<{
    /** One alone stands for itself. */
    parts: { LastModified: string }[] | { LastModified: string };
    isTruncated: string;
    nextPartNumberMarker?: string;
  }>;
  getBucketVersioning(bucket: string): Promise<{ versionStatus?: string }>;
  getBucketWorm(bucket: string): Promise<{ state?: string; days?: string }>;
  getBucketLifecycle(bucket: string): Promise<{ rules: unknown[] | null }>;
}

type SdkConstructor = new (options: Record<string, unknown>) => OssSdk;

let loaded: SdkConstructor | undefined;

/** Makes the SDK of one bucket and key. The code of the SDK is loaded with the first. */
export function ossSdk(
  { url, region, addressing }: OssEndpoint,
  { bucket, credentials, transport }: { bucket: string; credentials: OssCredentials; transport: OssTransport },
): OssSdk {
  // It is CommonJS, and its types are not wanted.
  loaded ??= loadedSilently(() => createRequire(import.meta.url)('ali-oss') as SdkConstructor);
  const { accessKeyId, accessKeySecret, securityToken } = credentials;
  try {
    return new loaded({
      accessKeyId,
      accessKeySecret,
      // With a function to renew it the SDK says nothing on the console; ours renews it, so that of the SDK is never due.
      ...(securityToken === undefined
        ? {}
        : {
            stsToken: securityToken,
            refreshSTSToken: async () => ({}),
            refreshSTSTokenInterval: Number.MAX_SAFE_INTEGER,
          }),
      bucket,
      endpoint: url,
      secure: url.startsWith('https:'),
      cname: addressing === 'cname',
      sldEnable: addressing === 'path',
      // V4 is bound to a region; where none is known, only the older signature can be made.
      ...(region === undefined ? {} : { region: `oss-${region}`, authorizationV4: true }),
      urllib: transport,
      retryMax: 0,
    });
  } catch (error) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The OSS bucket ${bucket} cannot be addressed: ${error instanceof Error ? error.message : 'refused by the SDK'}`,
      remedy: 'A bucket has 3 to 63 lower-case letters, digits and dashes; an endpoint is a host or a URL.',
    });
  }
}
