import { randomBytes } from 'node:crypto';
import { element, elementsOf, emptyAnswer, OssRefusal, unescapeXml, xmlAnswer, type OssAnswer } from './oss-answer.ts';
import {
  checkBodyMd5,
  keyOf,
  refuseImmutable,
  refuseOverwrite,
  versionHeaders,
  type OssContext,
  type OssRoute,
} from './oss-object-routes.ts';
import { ossCrc64 } from './oss-crc64.ts';
import { ossMd5, type OssUpload } from './oss-state.ts';

/** Every part but the last must have this size, which is only found out at the end. */
const PART_BYTES_MIN = 100 * 1024;

export const MULTIPART_ROUTES: Readonly<Record<string, OssRoute>> = {
  InitiateMultipartUpload: initiate,
  UploadPart: uploadPart,
  CompleteMultipartUpload: complete,
  AbortMultipartUpload: abort,
  ListParts: listParts,
};

function initiate({ request, bucket, nowMs }: OssContext): OssAnswer {
  const key = keyOf(request);
  refuseOverwrite(request, bucket);
  const uploadId = randomBytes(16).toString('hex').toUpperCase();
  bucket.uploads.set(uploadId, { uploadId, key, startedAtMs: nowMs, parts: new Map() });
  return xmlAnswer('InitiateMultipartUploadResult', [
    element('Bucket', bucket.name),
    element('Key', key),
    element('UploadId', uploadId),
  ]);
}

function uploadPart({ request, bucket, nowMs }: OssContext): OssAnswer {
  const upload = uploadOf({ request, bucket });
  const partNumber = Number(request.query.get('partNumber'));
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > 10_000) {
    throw new OssRefusal(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive.');
  }
  checkBodyMd5(request);
  const md5 = ossMd5(request.body);
  const part = { body: request.body, etag: md5.toString('hex').toUpperCase(), crc64: ossCrc64(request.body) };
  upload.parts.set(partNumber, { ...part, modifiedAtMs: nowMs });
  return emptyAnswer(200, {
    etag: `"${part.etag}"`,
    'content-md5': md5.toString('base64'),
    'x-oss-hash-crc64ecma': part.crc64,
  });
}

function complete({ request, bucket, nowMs }: OssContext): OssAnswer {
  const upload = uploadOf({ request, bucket });
  const text = request.body.toString();
  const numbers = elementsOf(text, 'PartNumber').map(Number);
  const etags = elementsOf(text, 'ETag').map((etag) => unescapeXml(etag).replaceAll('"', ''));
  if (numbers.length === 0 || numbers.length !== etags.length) {
    throw new OssRefusal(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.');
  }
  const chosen = numbers.map((partNumber, index) => {
    if (index > 0 && partNumber <= numbers[index - 1]!) {
      throw new OssRefusal(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const part = upload.parts.get(partNumber);
    if (part === undefined || part.etag !== etags[index]) {
      const message =
        'One or more of the specified parts could not be found or the specified entity tag might not match.';
      throw new OssRefusal(400, 'InvalidPart', message, { PartNumber: String(partNumber) });
    }
    return part;
  });
  if (chosen.slice(0, -1).some(({ body }) => body.length < PART_BYTES_MIN)) {
    throw new OssRefusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size.');
  }
  refuseOverwrite(request, bucket);
  refuseImmutable(bucket, upload.key, nowMs);
  const etag = `${ossMd5(Buffer.from(etags.join('')))
    .toString('hex')
    .toUpperCase()}-${chosen.length}`;
  const body = Buffer.concat(chosen.map((part) => part.body));
  const version = bucket.write(upload.key, body, { type: 'Multipart', etag, nowMs });
  bucket.uploads.delete(upload.uploadId);
  return xmlAnswer(
    'CompleteMultipartUploadResult',
    [element('Bucket', bucket.name), element('Key', upload.key), element('ETag', `"${etag}"`)],
    { ...versionHeaders(bucket, version), etag: `"${etag}"`, 'x-oss-hash-crc64ecma': version.crc64 },
  );
}

function abort({ request, bucket }: OssContext): OssAnswer {
  bucket.uploads.delete(uploadOf({ request, bucket }).uploadId);
  return emptyAnswer(204);
}

function listParts({ request, bucket }: OssContext): OssAnswer {
  const upload = uploadOf({ request, bucket });
  const limit = Number(request.query.get('max-parts') ?? 1000);
  const marker = Number(request.query.get('part-number-marker') ?? 0);
  const all = [...upload.parts].filter(([partNumber]) => partNumber > marker).sort(([left], [right]) => left - right);
  const page = all.slice(0, limit);
  return xmlAnswer('ListPartsResult', [
    element('Bucket', bucket.name),
    element('Key', upload.key),
    element('UploadId', upload.uploadId),
    element('IsTruncated', String(all.length > page.length)),
    element('NextPartNumberMarker', page.at(-1)?.[0] ?? ''),
    ...page.map(([partNumber, { body, etag, crc64, modifiedAtMs }]) => {
      const fields = [
        element('PartNumber', partNumber),
        element('LastModified', new Date(modifiedAtMs).toISOString()),
        element('ETag', `"${etag}"`),
        element('HashCrc64ecma', crc64),
        element('Size', body.length),
      ];
      return `<Part>${fields.join('')}</Part>`;
    }),
  ]);
}

function uploadOf({ request, bucket }: Pick<OssContext, 'request' | 'bucket'>): OssUpload {
  const upload = bucket.uploads.get(request.query.get('uploadId') ?? '');
  if (upload !== undefined && upload.key === request.key) return upload;
  const message =
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.';
  throw new OssRefusal(404, 'NoSuchUpload', message);
}
