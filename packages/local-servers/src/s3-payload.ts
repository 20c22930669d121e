import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { S3Refusal } from './s3-answer.ts';
import type { S3Request } from './s3-request.ts';
import { s3ChunkStringToSign, s3Sign, sha256Hex, type S3Scope } from './s3-signature.ts';

/** What the signature of the head was made with, for those of the chunks. */
export interface PayloadSignature {
  signingKey: Buffer;
  scope: S3Scope;
  timestamp: string;
  signature: string;
}

/**
 * Checks a payload against what the head says of it: the signed SHA-256, the chunks' own signatures, Content-MD5 and
 * `x-amz-checksum-*`, the latter also as a trailer.
 * @returns the request with its body out of the chunks. @throws S3Refusal as S3 words it.
 */
export function checkPayload(request: S3Request, raw: Buffer, signed: PayloadSignature): S3Request {
  const stated = request.headers['x-amz-content-sha256'] ?? '';
  const checked = stated.startsWith('STREAMING-') ? readChunks(request, raw, signed) : { ...request, body: raw };
  if (!stated.startsWith('STREAMING-') && stated !== 'UNSIGNED-PAYLOAD' && sha256Hex(raw) !== stated) {
    throw new S3Refusal(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  checkMd5(checked);
  checkChecksums(checked);
  return checked;
}

/** `<hex length>[;chunk-signature=<hex>]CRLF<bytes>CRLF`, until a chunk of no bytes; then perhaps trailers. */
function readChunks(request: S3Request, raw: Buffer, signed: PayloadSignature): S3Request {
  const withSignatures = (request.headers['x-amz-content-sha256'] ?? '').startsWith(
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  );
  const chunks: Buffer[] = [];
  let previous = signed.signature;
  let at = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    const [, length, given] =
      /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(raw.toString('latin1', at, lineEnd)) ?? [];
    if (lineEnd < 0 || length === undefined) throw incompleteBody();
    const chunk = raw.subarray(lineEnd + 2, lineEnd + 2 + Number.parseInt(length, 16));
    at = lineEnd + 2 + chunk.length;
    if (withSignatures) {
      const expected = s3Sign(signed.signingKey, s3ChunkStringToSign(chunk, { ...signed, previous }));
      if (given !== expected) throw new S3Refusal(403, 'SignatureDoesNotMatch', 'The signature of a chunk is wrong.');
      previous = expected;
    }
    if (chunk.length === 0) break;
    if (raw.toString('latin1', at, at + 2) !== '\r\n') throw incompleteBody();
    at += 2;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (body.length !== Number(request.headers['x-amz-decoded-content-length'])) throw incompleteBody();
  return { ...request, body, headers: { ...request.headers, ...trailersOf(raw.toString('latin1', at)) } };
}

function trailersOf(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)) as [string, string][]);
}

function checkMd5({ headers, body }: S3Request): void {
  const stated = headers['content-md5'];
  if (stated === undefined || stated === createHash('md5').update(body).digest('base64')) return;
  throw new S3Refusal(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
}

/** The checksums of an upload, by the name of their header. */
const CHECKSUMS: Readonly<Record<string, (body: Buffer) => string>> = {
  'x-amz-checksum-crc32': (body) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(body));
    return bytes.toString('base64');
  },
  'x-amz-checksum-sha256': (body) => createHash('sha256').update(body).digest('base64'),
  'x-amz-checksum-sha1': (body) => createHash('sha1').update(body).digest('base64'),
};

export function checksumHeaders({ headers }: S3Request): Record<string, string> {
  const found = Object.keys(CHECKSUMS).flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

function checkChecksums({ headers, body }: S3Request): void {
  for (const [name, compute] of Object.entries(CHECKSUMS)) {
    const stated = headers[name];
    if (stated === undefined || stated === compute(body)) continue;
    throw new S3Refusal(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`);
  }
}

function incompleteBody(): S3Refusal {
  return new S3Refusal(400, 'IncompleteBody', 'You did not provide the number of bytes specified by the HTTP header.');
}
