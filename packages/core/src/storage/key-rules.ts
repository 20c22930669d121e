import { EtcdOpsError } from '../base/errors.ts';

/** Longest key, and longest part of one, that every store and file system takes. */
export const KEY_BYTES_MAX = 900;
export const KEY_PART_BYTES_MAX = 240;

/** A part never begins with a dot: `.` and `..` travel, and hidden names are the stores' own (temporary files). */
const PART = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*$/;

const KEY = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,239}(?:\/[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,239})*$/;

/** True for one part (between slashes) of a legal key. */
export function isKeyPart(part: string): boolean {
  return part.length <= KEY_PART_BYTES_MAX && PART.test(part);
}

/** True for a `/`-separated path of legal parts. */
export function isKey(key: string): boolean {
  return key.length <= KEY_BYTES_MAX && KEY.test(key);
}

/** @throws EtcdOpsError STORE_KEY_INVALID unless `key` is a `/`-separated path of legal parts. */
export function assertKey(key: string): void {
  if (isKey(key)) return;
  throw new EtcdOpsError('STORE_KEY_INVALID', { message: `The object key ${quote(key)} is not allowed` });
}

/**
 * Without the slash at the end, `prod` would also list `prod-2`: the collector of one cluster would delete the other's.
 * @throws EtcdOpsError STORE_KEY_INVALID unless `prefix` is empty or a legal path that ends in `/`.
 */
export function assertPrefix(prefix: string): void {
  if (prefix === '') return;
  if (prefix.endsWith('/') && prefix.length <= KEY_BYTES_MAX && prefix.slice(0, -1).split('/').every(isKeyPart)) return;
  throw new EtcdOpsError('STORE_KEY_INVALID', {
    message: `The prefix ${quote(prefix)} must be empty or a path that ends in /`,
  });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}
