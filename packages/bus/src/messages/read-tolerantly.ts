import { isDeepStrictEqual } from 'node:util';
import { EtcdOpsError } from '@etcd-ops/core';
import type { z } from 'zod';

/** A field that a later version has added. */
export interface UnknownField {
  /** From the top; numbers are places in a list. */
  path: readonly PropertyKey[];
  value: unknown;
}

export interface Read<T> {
  value: T;
  /** What was passed over: empty, but for what a later version wrote. */
  unknown: readonly UnknownField[];
}

/** Fields inside of fields that are unknown go with them: a few rounds are enough for all that a document can hold. */
const ROUNDS_MAX = 8;
/** All messages and documents are of it so far, but where the caller says otherwise. */
const VERSION = 1;

/**
 * Reads what a service of another version may have written: fields that this one does not know are passed over, also where people, who
 * mistype, are refused them. Everything else has to follow the schema.
 * @throws EtcdOpsError BUS_VERSION_UNKNOWN for a later `version`, BUS_MESSAGE_INVALID
 */
export function readTolerantly<T>(
  schema: z.ZodType<T>,
  json: unknown,
  where: string,
  { versionMax = VERSION }: { versionMax?: number } = {},
): Read<T> {
  assertKnownVersion(json, where, versionMax);
  const unknown: UnknownField[] = [];
  let read: unknown = json;
  for (let round = 1; ; round++) {
    const parsed = schema.safeParse(read);
    if (parsed.success) return { value: parsed.data, unknown };
    const added = parsed.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
    if (added.length === 0 || round > ROUNDS_MAX) {
      const message = `${where} does not follow its schema`;
      throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message, cause: parsed.error });
    }
    // Nothing of the sender's is changed: whoever handed it over may need it as it was.
    if (round === 1) read = structuredClone(json);
    for (const { path, keys } of added) unknown.push(...keys.map((key) => takeAway(read, [...path, key])));
  }
}

function assertKnownVersion(json: unknown, where: string, versionMax: number): void {
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  if (typeof version !== 'number' || version <= versionMax) return;
  throw newerVersion(`${where} has version ${version}, and this etcd-ops reads version ${versionMax}`);
}

export function newerVersion(message: string): EtcdOpsError {
  return new EtcdOpsError('BUS_VERSION_UNKNOWN', { message });
}

function takeAway(root: unknown, path: readonly PropertyKey[]): UnknownField {
  const holder = path.slice(0, -1).reduce<unknown>(inside, root) as Record<PropertyKey, unknown>;
  const key = path.at(-1)!;
  const { [key]: value } = holder;
  delete holder[key];
  return { path, value };
}

function inside(holder: unknown, key: PropertyKey): unknown {
  return (holder as Record<PropertyKey, unknown>)[key];
}

/**
 * Puts fields back that were passed over, so that who changes a document does not take away what a later version wrote into it. Where
 * what held them is gone, they are, too; in a list, where it is no longer the entry that they were found in.
 */
export function withUnknown<T>(changed: T, before: Read<T>): unknown {
  const target = structuredClone(changed) as unknown;
  for (const { path, value } of before.unknown) {
    const key = path.at(-1)!;
    const holder = holderIn(target, path, { changed, before: before.value });
    if (isObject(holder) && !Array.isArray(holder) && !(key in holder)) Object.assign(holder, { [key]: value });
  }
  return target;
}

function holderIn(target: unknown, path: readonly PropertyKey[], versions: Record<string, unknown>): unknown {
  let holder = target;
  let { changed, before } = versions;
  for (const key of path.slice(0, -1)) {
    if (!isObject(holder) || !isObject(changed) || !isObject(before)) return undefined;
    const isList = Array.isArray(holder);
    [holder, changed, before] = [inside(holder, key), inside(changed, key), inside(before, key)];
    if (isList && !isDeepStrictEqual(changed, before)) return undefined;
  }
  return holder;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
