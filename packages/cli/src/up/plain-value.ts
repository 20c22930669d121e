import type { Document } from 'yaml';

/** Why a document that is sound YAML is no value; for people. */
export class NoPlainValue extends Error {
  readonly remedy = 'Write the value out where it is needed, instead of *alias and &anchor.';
}

/** The document as data, its aliases replaced. @throws NoPlainValue where they lead nowhere, in a circle, or would grow beyond all bounds. */
export function plainValue(document: Document.Parsed): unknown {
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const unresolved = /^Unresolved alias.*: (\S+)$/.exec(error.message)?.[1];
    if (unresolved !== undefined) throw new NoPlainValue(`*${unresolved} names no anchor that stands before it`);
    throw new NoPlainValue('its aliases repeat each other so often that it would grow beyond all bounds');
  }
  if (isCircular(value, new Set())) throw new NoPlainValue('an alias stands inside of its own anchor');
  return value;
}

function isCircular(value: unknown, around: Set<unknown>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (around.has(value)) return true;
  around.add(value);
  const found = Object.values(value).some((inner) => isCircular(inner, around));
  around.delete(value);
  return found;
}
