import { createHash, randomBytes } from 'node:crypto';
import { element, elementsOf, emptyAnswer, unescapeXml, xmlAnswer } from './oss-answer.ts';
import { S3Refusal, type S3Answer } from './s3-answer.ts';
import { keyOf, type S3Context, type S3Route } from './s3-object-routes.ts';
import { checksumHeaders } from './s3-payload.ts';
import type { S3Upload } from './s3-state.ts';

export const S3_MULTIPART_ROUTES: Readonly<Record<string, S3Route>> = {
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListParts: listParts,
};

const PART_BYTES_MIN = 5 * 1024 * 1024;
const PART_NUMBER_MAX = 10_000;
const PAGE_MAX = 1000;

function createUpload({ request, bucket, nowMs }: S3Context): S3Answer {
  const key = keyOf(request);
  const uploadId = randomBytes(24).toString('base64url');
  const encryption = request.headers['x-amz-server-side-encryption'];
  bucket.uploads.set(uploadId, { uploadId, key, startedAtMs: nowMs, encryption, parts: new Map() });
  return xmlAnswer('InitiateMultipartUploadResult', [
    element('Bucket', bucket.name),
    element('Key', key),
    element('UploadId', uploadId),
  ]);
}

function uploadPart(context: S3Context): S3Answer {
  const { request, nowMs } = context;
  const upload = uploadOf(context);
  const partNumber = Number(request.query.get('partNumber'));
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > PART_NUMBER_MAX) {
    throw new S3Refusal(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  const etag = `"${md5(request.body).toString('hex')}"`;
  const checksums = checksumHeaders(request);
  upload.parts.set(partNumber, { body: request.body, etag, checksums, modifiedAtMs: nowMs });
  return emptyAnswer(200, { etag, ...checksums });
}

function completeUpload(context: S3Context): S3Answer {
  const { request, bucket, nowMs } = context;
  const upload = uploadOf(context);
  const listed = elementsOf(request.body.toString(), 'Part').map((part) => ({
    partNumber: Number(elementsOf(part, 'PartNumber')[0]),
    etag: unescapeXml(elementsOf(part, 'ETag')[0] ?? ''),
  }));
  const parts = listed.map(({ partNumber, etag }, index) => {
    const part = upload.parts.get(partNumber);
    if (index > 0 && partNumber <= listed[index - 1]!.partNumber) {
      throw new S3Refusal(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    if (part === undefined || part.etag !== etag) {
      throw new S3Refusal(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
    }
    if (index < listed.length - 1 && part.body.length < PART_BYTES_MIN) {
      throw new S3Refusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
    }
    return part;
  });
  if (parts.length === 0) throw new S3Refusal(400, 'MalformedXML', 'The XML you provided was not well-formed');
  const body = Buffer.concat(parts.map((part) => part.body));
  const sums = Buffer.concat(parts.map((part) => md5(part.body)));
  const etag = `"${md5(sums).toString('hex')}-${parts.length}"`;
  const { encryption } = upload;
  bucket.write(upload.key, { body, etag, modifiedAtMs: nowMs, ...(encryption === undefined ? {} : { encryption }) });
  bucket.uploads.delete(upload.uploadId);
  return xmlAnswer('CompleteMultipartUploadResult', [
    element('Bucket', bucket.name),
    element('Key', upload.key),
    element('ETag', etag),
  ]);
}

function abortUpload(context: S3Context): S3Answer {
  context.bucket.uploads.delete(uploadOf(context).uploadId);
  return emptyAnswer(204);
}

function listParts(context: S3Context): S3Answer {
  const { request, bucket } = context;
  const { key, uploadId, parts } = uploadOf(context);
  const pageMax = Math.min(PAGE_MAX, Number(request.query.get('max-parts') ?? PAGE_MAX));
  const marker = Number(request.query.get('part-number-marker') ?? 0);
  const left = [...parts].filter(([partNumber]) => partNumber > marker).sort(([one], [other]) => one - other);
  const page = left.slice(0, pageMax);
  return xmlAnswer('ListPartsResult', [
    element('Bucket', bucket.name),
    element('Key', key),
    element('UploadId', uploadId),
    element('IsTruncated', String(left.length > page.length)),
    ...(left.length > page.length ? [element('NextPartNumberMarker', page.at(-1)![0])] : []),
    ...page.map(([partNumber, { body, etag, modifiedAtMs }]) => {
      const modified = element('LastModified', new Date(modifiedAtMs).toISOString());
      return `<Part>${element('PartNumber', partNumber)}${modified}${element('ETag', etag)}${element('Size', body.length)}</Part>`;
    }),
  ]);
}

function uploadOf({ request, bucket }: S3Context): S3Upload {
  const upload = bucket.uploads.get(request.query.get('uploadId') ?? '');
  if (upload !== undefined && upload.key === keyOf(request)) return upload;
  throw new S3Refusal(404, 'NoSuchUpload', 'The specified multipart upload does not exist.');
}

function md5(body: Uint8Array): Buffer {
  return createHash('md5').update(body).digest();
}
