import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { hasPossiblePort } from '../base/endpoint-port.ts';
import { isKeyPart, KEY_BYTES_MAX } from './key-rules.ts';
import { OSS_ADDRESSING } from './oss-endpoint.ts';

export const STORE_PROVIDERS = ['Local', 'S3', 'OSS'] as const;
export type StoreProvider = (typeof STORE_PROVIDERS)[number];

/** The smallest part that S3 takes, and the seed tool's default. */
export const PART_BYTES_MIN = 5 * 1024 * 1024;
const PART_BYTES_MAX = 512 * 1024 * 1024;
export const PARTS_IN_FLIGHT_MAX_DEFAULT = 5;

const pathSchema = z.string().min(1).max(4096);
const positiveInteger = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const bucketNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, 'the name of a bucket: letters, digits, dots and dashes');
const prefixSchema = z
  .string()
  .max(KEY_BYTES_MAX / 2)
  .refine(
    (prefix) => prefix.replace(/\/$/, '').split('/').every(isKeyPart),
    'a path of letters, digits, dots, dashes, underscores and =',
  );
/** Secrets have no place in it, nor has anything behind the host that a path would be mistaken for. */
const endpointSchema = z
  .string()
  .max(1024)
  .regex(/^(https?:\/\/)?[^\s/@?#]+\/?$/, 'host, host:port or http(s)://host:port, without credentials and path')
  .refine(hasPossiblePort, 'a port is a number from 1 to 65535');

/** Where secrets are, on the hosts that open the store; never the secrets themselves. Without it, the SDK's own chain and environment. */
const credentialsSchema = z
  .strictObject({
    /** A directory with one file for each value (a mounted Kubernetes secret): `accessKeyID`, `secretAccessKey`, ... */
    directory: pathSchema.exactOptional(),
    /** One file of JSON with the same names. */
    file: pathSchema.exactOptional(),
    /** A profile of the SDK's shared configuration. */
    profile: z.string().min(1).max(256).exactOptional(),
  })
  .refine((given) => Object.keys(given).length === 1, 'exactly one of directory, file and profile');

const encryptionSchema = z.strictObject({
  /** `AES256`: the store's own keys. `KMS`: its key service, with the bucket's default key unless one is named. */
  mode: z.enum(['AES256', 'KMS']),
  kmsKeyId: z.string().min(1).max(2048).exactOptional(),
});

const remoteFields = {
  bucket: bucketNameSchema,
  /** A folder of the bucket below which all repositories lie. */
  prefix: prefixSchema.exactOptional(),
  /** Without it, the provider's own, by region. */
  endpoint: endpointSchema.exactOptional(),
  region: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'letters, digits and dashes')
    .exactOptional(),
  /** Certificates (PEM) that are trusted beside the system's. */
  caFile: pathSchema.exactOptional(),
  insecureSkipVerify: z.boolean().exactOptional(),
  credentials: credentialsSchema.exactOptional(),
  /** Encryption by the store, at rest. */
  sse: encryptionSchema.exactOptional(),
  /** The smallest part of a multipart upload; larger ones are made when there would be too many. Objects below it go in one piece. */
  partBytes: z.number().int().min(PART_BYTES_MIN).max(PART_BYTES_MAX).exactOptional(),
  /** Parts of one object on their way at once. Memory: this times the size of a part. */
  partsInFlightMax: z.number().int().min(1).max(64).exactOptional(),
  /** Uploads of this process to this store together, per second. */
  bytesPerSecondMax: positiveInteger.min(1024).exactOptional(),
  /** Requests of this process to this store at once. */
  requestsInFlightMax: z.number().int().min(1).max(256).exactOptional(),
  /** How long a request may go on without a byte moving. */
  requestTimeoutMs: z.number().int().min(1000).max(3_600_000).exactOptional(),
  /** How long a request is tried again. */
  retryDeadlineMs: z.number().int().min(0).max(86_400_000).exactOptional(),
  /** False: the server ignores the condition of a put; a look before it is all there is then. */
  conditionalPut: z.boolean().exactOptional(),
};

const localStoreSchema = z.strictObject({
  provider: z.literal('Local'),
  /** The directory that holds the repositories of all clusters. */
  bucket: pathSchema,
});

const s3StoreSchema = z.strictObject({
  provider: z.literal('S3'),
  ...remoteFields,
  /** `host/bucket/key` instead of `bucket.host/key`. Without it: where the endpoint is an address or the bucket's name has dots. */
  forcePathStyle: z.boolean().exactOptional(),
  /**
   * What goes along with an upload beside its signature. `crc32`: stored by S3 itself; `md5`: Content-MD5, as servers know it that are
   * not S3's newest. Without it: `crc32` for Amazon's own endpoints; elsewhere `md5` for small objects and the signed SHA-256 for parts.
   */
  checksums: z.enum(['crc32', 'md5', 'none']).exactOptional(),
});

const ossStoreSchema = z.strictObject({
  provider: z.literal('OSS'),
  ...remoteFields,
  /** How the bucket's name travels. Without it: in front of the host, or in the path where the endpoint is an address. */
  addressing: z.enum(OSS_ADDRESSING).exactOptional(),
});

/** Where repositories live, as configuration says it. An unknown field is an error. Credentials are only referred to. */
export const storeSpecSchema = z.discriminatedUnion('provider', [localStoreSchema, s3StoreSchema, ossStoreSchema]);
export type StoreSpec = z.infer<typeof storeSpecSchema>;
export type S3StoreSpec = z.infer<typeof s3StoreSchema>;
export type OssStoreSpec = z.infer<typeof ossStoreSchema>;
export type RemoteStoreSpec = S3StoreSpec | OssStoreSpec;
export type StoreCredentials = z.infer<typeof credentialsSchema>;

/** The same with its paths meant from `directory`. */
export function resolveStorePaths(spec: StoreSpec, directory: string): StoreSpec {
  const at = (path: string): string => (isAbsolute(path) ? path : resolve(directory, path));
  if (spec.provider === 'Local') return { ...spec, bucket: at(spec.bucket) };
  const { caFile, credentials } = spec;
  const { directory: folder, file } = credentials ?? {};
  return {
    ...spec,
    ...(caFile === undefined ? {} : { caFile: at(caFile) }),
    ...(folder === undefined ? {} : { credentials: { directory: at(folder) } }),
    ...(file === undefined ? {} : { credentials: { file: at(file) } }),
  };
}

/** What tells one place from another, as far as configuration does. */
export function storePlace(spec: StoreSpec): string {
  if (spec.provider === 'Local') return `Local ${spec.bucket.replace(/(?<=.)\/+$/, '')}`;
  const { provider, bucket, prefix = '', endpoint = '' } = spec;
  return [provider, bucket, prefix.replace(/\/$/, ''), endpoint.replace(/\/$/, '')].join(' ');
}

/** For people, in lists and reports: `S3 backups/etcd`. */
export function describeStoreSpec(spec: StoreSpec): string {
  const prefix = spec.provider === 'Local' || spec.prefix === undefined ? '' : `/${spec.prefix.replace(/\/$/, '')}`;
  return `${spec.provider} ${spec.bucket}${prefix}`;
}
