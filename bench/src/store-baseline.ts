/**
 * What somebody would put together without etcd-ops, once there is a file:
 *
 *     node bench/src/store-baseline.ts compress FILE TARGET
 *     node bench/src/store-baseline.ts upload FILE ENDPOINT BUCKET KEY
 *
 * zstd at level 1; the SDK of Amazon with parts of 5 MiB, four at a time, as its own Upload has them. Credentials as the SDK finds them.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';

const PART_BYTES = 5 * 1024 * 1024;
const PARTS_IN_FLIGHT = 4;
const CHUNK_BYTES = 1024 * 1024;

const [action, ...rest] = process.argv.slice(2);
if (action === 'compress' && rest.length === 2) await compress(rest[0]!, rest[1]!);
else if (action === 'upload' && rest.length === 4) await upload(rest[0]!, rest[1]!, rest[2]!, rest[3]!);
else throw new Error('usage: store-baseline.ts compress FILE TARGET | upload FILE ENDPOINT BUCKET KEY');

async function compress(path: string, target: string): Promise<void> {
  await pipeline(
    createReadStream(path, { highWaterMark: CHUNK_BYTES }),
    createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    createWriteStream(target, { flush: true }),
  );
}

async function upload(path: string, endpoint: string, bucket: string, key: string): Promise<void> {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
  const place = { Bucket: bucket, Key: key };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place));
  const file = await open(path);
  const { size } = await file.stat();
  const parts: CompletedPart[] = [];
  let next = 1;
  const work = async (): Promise<void> => {
    for (;;) {
      const PartNumber = next++;
      const body = await readPart(file, (PartNumber - 1) * PART_BYTES, size);
      if (body.length === 0) return;
      const { ETag } = await client.send(new UploadPartCommand({ ...place, UploadId, PartNumber, Body: body }));
      parts.push({ PartNumber, ETag });
    }
  };
  await Promise.all(Array.from({ length: PARTS_IN_FLIGHT }, work));
  await file.close();
  const Parts = parts.toSorted((left, right) => left.PartNumber! - right.PartNumber!);
  await client.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }));
  client.destroy();
}

async function readPart(file: FileHandle, position: number, size: number): Promise<Buffer> {
  const body = Buffer.allocUnsafe(Math.max(0, Math.min(PART_BYTES, size - position)));
  if (body.length > 0) await file.read(body, 0, body.length, position);
  return body;
}
