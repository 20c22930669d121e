import { join } from 'node:path';
import { AskedProcess } from './asked-process.ts';

export interface S3Question {
  /** Counts the keys that end so. */
  suffix?: string;
  /** Lists the keys that begin so. */
  prefix?: string;
}

export interface S3Report {
  endpoint: string;
  /** Since the beginning, by operation. */
  requests: Record<string, number>;
  /** Those of them that were refused, by operation and status. */
  refused: Record<string, number>;
  objects: number;
  found: number;
  keys: string[];
}

export const SCALE_BUCKET = 'scale';
export const S3_ACCOUNT = { accessKeyId: 'AKSCALE', secretAccessKey: 'a-secret-of-the-scale-run' } as const;

export type S3Process = AskedProcess<S3Question, S3Report>;

export async function startS3(): Promise<S3Process> {
  const { accessKeyId, secretAccessKey } = S3_ACCOUNT;
  const path = join(import.meta.dirname, 's3-process.ts');
  return await AskedProcess.start<S3Question, S3Report>(path, [SCALE_BUCKET, accessKeyId, secretAccessKey]);
}
