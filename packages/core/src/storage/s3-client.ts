import { createHash } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { fromTokenFile } from '@aws-sdk/credential-provider-web-identity';
import type { S3Identity, S3Settings } from './s3-settings.ts';
import type { S3StoreSpec } from './store-spec.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS_DEFAULT = 60_000;
/** More than requests at once: answers that are still read keep their connection. */
const SOCKETS_MAX = 512;
/** An SDK takes credentials that end within five minutes as ended, and asks again. */
const SHORT_LIVED_MS = 5 * 60_000;

/** What goes with uploads beside the signature. */
export type UploadChecksums = 'crc32' | 'md5' | 'md5-of-small' | 'none';

export interface S3ClientOptions {
  spec: S3StoreSpec;
  settings: S3Settings;
  /** Asked before requests, so that changed files count at once. */
  identity: () => Promise<S3Identity>;
  /** Called with the answer's `Date`. */
  onServerTime: (serverTimeMs: number) => void;
}

/** A client of the SDK that sends each request once, says nothing and trusts what the settings say. */
export function createS3Client({ spec, settings, identity, onServerTime }: S3ClientOptions): S3Client {
  const checksums = uploadChecksums(spec, settings);
  const config: S3ClientConfig = {
    maxAttempts: 1,
    followRegionRedirects: false,
    forcePathStyle: settings.forcePathStyle,
    requestChecksumCalculation: checksums === 'crc32' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    // Formats have their own checksums, which hold from the writer's memory to the reader's.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Servers and proxies that ignore it cost six seconds a part, and the SDK would leave our CA out.
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: spec.requestTimeoutMs ?? REQUEST_TIMEOUT_MS_DEFAULT,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS_MAX, ...tlsOf(settings) },
    },
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...regionOf(settings),
    ...credentialsOf(settings, identity),
  };
  const client = new S3Client(config);
  if (checksums === 'crc32') announceCrc32(client);
  if (checksums.startsWith('md5')) addContentMd5(client, checksums === 'md5');
  observeServerTime(client, onServerTime);
  return client;
}

/** Amazon stores a CRC of its own; others differ in what they know, but all check the signed SHA-256 of the payload. */
function uploadChecksums(spec: S3StoreSpec, { endpoint }: S3Settings): UploadChecksums {
  if (spec.checksums !== undefined) return spec.checksums;
  return endpoint === undefined || new URL(endpoint).hostname.endsWith('.amazonaws.com') ? 'crc32' : 'md5-of-small';
}

/** Servers beside Amazon's mostly have no regions, but a signature needs one. */
function regionOf({ region, endpoint }: S3Settings): S3ClientConfig {
  if (region !== undefined) return { region };
  return endpoint === undefined || new URL(endpoint).hostname.endsWith('.amazonaws.com') ? {} : { region: 'us-east-1' };
}

function tlsOf({ ca, insecureSkipVerify }: S3Settings): { ca?: string[]; rejectUnauthorized?: boolean } {
  return {
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(insecureSkipVerify ? { rejectUnauthorized: false } : {}),
  };
}

function credentialsOf(settings: S3Settings, identity: () => Promise<S3Identity>): S3ClientConfig {
  const { identity: first } = settings;
  if (first.kind === 'sdk') return first.profile === undefined ? {} : { profile: first.profile };
  if (first.kind === 'role') {
    const { roleArn, tokenFile: webIdentityTokenFile } = first;
    return { credentials: fromTokenFile({ roleArn, webIdentityTokenFile, roleSessionName: 'etcd-ops' }) };
  }
  return {
    credentials: async () => {
      const now = await identity();
      if (now.kind !== 'keys') throw new Error('The kind of the credentials changed');
      const { kind: _, ...keys } = now;
      return { ...keys, expiration: new Date(Date.now() + SHORT_LIVED_MS - 1000) };
    },
  };
}

/** What a new object is encrypted with at rest. */
export function encryptionOf({ sse }: S3StoreSpec): {
  ServerSideEncryption?: 'AES256' | 'aws:kms';
  SSEKMSKeyId?: string;
} {
  if (sse === undefined) return {};
  return {
    ServerSideEncryption: sse.mode === 'KMS' ? 'aws:kms' : 'AES256',
    ...(sse.kmsKeyId === undefined ? {} : { SSEKMSKeyId: sse.kmsKeyId }),
  };
}

const MD5_COMMANDS_SMALL = ['PutObjectCommand', 'DeleteObjectsCommand'];
const MD5_COMMANDS = [...MD5_COMMANDS_SMALL, 'UploadPartCommand'];

/** Content-MD5, which the SDK no longer sends: the one checksum that every server checks, and some demand. */
function addContentMd5(client: S3Client, ofParts: boolean): void {
  const commands = ofParts ? MD5_COMMANDS : MD5_COMMANDS_SMALL;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const request = args.request as { body?: unknown; headers: Record<string, string> };
      const { body } = request;
      if (commands.includes(context.commandName ?? '') && (typeof body === 'string' || body instanceof Uint8Array)) {
        request.headers['content-md5'] = createHash('md5').update(body).digest('base64');
      }
      return await next(args);
    },
    { step: 'build', name: 'contentMd5', priority: 'low' },
  );
}

/** The parts of an upload carry checksums only of the kind that was announced when it began; the SDK announces none by itself. */
function announceCrc32(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName !== 'CreateMultipartUploadCommand') return await next(args);
      return await next({ ...args, input: { ...args.input, ChecksumAlgorithm: 'CRC32' } });
    },
    { step: 'initialize', name: 'announceCrc32' },
  );
}

function observeServerTime(client: S3Client, onServerTime: (serverTimeMs: number) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string | undefined> };
      const serverTimeMs = Date.parse(headers?.['date'] ?? '');
      if (Number.isFinite(serverTimeMs)) onServerTime(serverTimeMs);
      return result;
    },
    // Nearest to the wire: an answer that turns out to be an error tells the time, too.
    { step: 'deserialize', name: 'serverTime', priority: 'low' },
  );
}

const nothing = (): void => {};
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
