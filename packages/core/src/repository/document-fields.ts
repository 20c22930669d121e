import { z } from 'zod';

/** A revision, size or count: exact as a JSON number up to 2^53. */
export const countField = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
export const revisionField = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
export const timelineField = z.int().min(1).max(99_999_999);
export const sha256Field = z.string().regex(/^[0-9a-f]{64}$/);
/** A 64-bit id in lower-case hex, as etcd prints it: no 0x, no leading zero. */
export const idField = z.string().regex(/^(?:0|[1-9a-f][0-9a-f]{0,15})$/);
/** UTC with milliseconds: `2026-11-20T06:00:00.000Z`. */
export const timeField = z.iso.datetime({ precision: 3 });
export const textField = z.string().min(1).max(200);
