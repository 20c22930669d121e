import { resolve } from 'node:path';
import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, resolveStorePaths, storeSpecSchema } from '@etcd-ops/core';
import { flagName } from '../options/define-command.ts';
import type { RepositoryOptions, UploadOptions } from '../options/repository-options.ts';

type StoreOptions = RepositoryOptions & Partial<UploadOptions>;

/** Which flag a field of the spec comes from, to name it when it is wrong. */
const FLAG_OF_FIELD: Readonly<Record<string, keyof StoreOptions>> = {
  bucket: 'bucket',
  prefix: 'storeFolder',
  endpoint: 'storeEndpoint',
  region: 'storeRegion',
  caFile: 'storeCacert',
  credentials: 'storeCredentialsDir',
  partBytes: 'minChunkSize',
  partsInFlightMax: 'maxParallelChunkUploads',
  bytesPerSecondMax: 'uploadBandwidth',
  sse: 'storeSse',
};

/**
 * @param before what stands before the names of the flags: `to-` of a target's.
 * @throws EtcdOpsError CONFIG_INVALID naming the flag whose value is wrong.
 */
export function storeSpec(options: StoreOptions, before = ''): ClusterSpec['store'] {
  const { storageProvider, bucket } = options;
  if (storageProvider === 'Local') return { provider: 'Local', bucket: resolve(bucket) };
  const parsed = storeSpecSchema.safeParse({
    provider: storageProvider,
    bucket,
    ...fieldsOf(options),
    ...(storageProvider === 'S3' ? s3FieldsOf(options) : ossFieldsOf(options)),
  });
  if (parsed.success) return resolveStorePaths(parsed.data, '.');
  const issue = parsed.error.issues[0]!;
  const field = FLAG_OF_FIELD[String(issue.path[0])];
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `${field === undefined ? 'The store' : `--${before}${flagName(field)}`} cannot be used: ${issue.message}`,
  });
}

function fieldsOf(options: StoreOptions): Record<string, unknown> {
  return definedOf({
    prefix: options.storeFolder,
    endpoint: options.storeEndpoint,
    region: options.storeRegion,
    caFile: options.storeCacert,
    insecureSkipVerify: options.storeInsecureSkipVerify ? true : undefined,
    credentials: credentialsOf(options),
    sse: sseOf(options),
    partBytes: options.minChunkSize,
    partsInFlightMax: options.maxParallelChunkUploads,
    bytesPerSecondMax: options.uploadBandwidth,
  });
}

function ossFieldsOf({ storeAddressing }: StoreOptions): Record<string, unknown> {
  const addressing = storeAddressing === 'host' ? 'virtual' : storeAddressing;
  return definedOf({ addressing: addressing === 'auto' ? undefined : addressing });
}

function s3FieldsOf({ storeAddressing, storeChecksums }: StoreOptions): Record<string, unknown> {
  if (storeAddressing === 'cname') {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: '--store-addressing cname is for OSS; S3 has the bucket in the path or in the host name',
    });
  }
  return definedOf({
    forcePathStyle: storeAddressing === 'auto' ? undefined : storeAddressing === 'path',
    checksums: storeChecksums === 'auto' ? undefined : storeChecksums,
  });
}

function credentialsOf(options: StoreOptions): Record<string, unknown> | undefined {
  const given = definedOf({
    directory: options.storeCredentialsDir,
    file: options.storeCredentialsFile,
    profile: options.storeProfile,
  });
  return Object.keys(given).length === 0 ? undefined : given;
}

function sseOf({ storeSse, storeSseKmsKeyId }: StoreOptions): Record<string, unknown> | undefined {
  if (storeSse !== undefined) return definedOf({ mode: storeSse, kmsKeyId: storeSseKmsKeyId });
  if (storeSseKmsKeyId === undefined) return undefined;
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: '--store-sse-kms-key-id names a key, but --store-sse KMS is not given',
  });
}

function definedOf(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
