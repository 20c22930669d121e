import { formatBytes, formatCount } from '../output/table.ts';
import type { Inspection } from './inspection.ts';

/** As `-o json` has it. */
export function inspectionDocument(path: string, { kind, facts, warnings, damages }: Inspection): unknown {
  return {
    path,
    kind,
    sound: soundnessOf(damages),
    ...facts,
    warnings,
    ...(damages.length === 0 ? {} : { damages: damages.map(({ code, message }) => ({ code, message })) }),
  };
}

/** As the table has it: what counts comes first, lists and parts become lines of their own. */
export function inspectionRows(path: string, { facts, warnings, damages }: Inspection): string[][] {
  return [
    ['path', path],
    ['sound', { true: 'yes', false: 'no', null: 'not known' }[`${soundnessOf(damages)}`]],
    ...damages.map(({ code, message }) => [code === 'IDENTITY_MISSING' ? 'locked' : 'damage', message]),
    ...factRows(facts),
    ...warnings.map((warning) => ['note', warning]),
  ];
}

/** What no key opens is neither. */
function soundnessOf(damages: Inspection['damages']): boolean | null {
  if (damages.length === 0) return true;
  return damages.every(({ code }) => code === 'IDENTITY_MISSING') ? null : false;
}

function factRows(facts: Readonly<Record<string, unknown>>, before = ''): string[][] {
  return Object.entries(facts).flatMap(([name, value]): string[][] => {
    const label = `${before}${words(name)}`;
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return listRows(label, value);
    if (typeof value === 'object') return factRows({ ...value }, `${label} `);
    return [[label, show(name, value)]];
  });
}

function listRows(label: string, values: readonly unknown[]): string[][] {
  if (values.length === 0) return [];
  if (values.every((value) => typeof value !== 'object')) return [[label, values.join(', ')]];
  return values.map((value) => [
    label.replace(/s$/, ''),
    Object.values(value as object)
      .flat()
      .filter((part) => part !== '')
      .join(' '),
  ]);
}

/** `firstRevision` -> `first revision`. */
function words(name: string): string {
  return name
    .replace('hashKv', 'HashKV')
    .replace('v2', 'v2 ')
    .replaceAll(/(?<=[a-z0-9])[A-Z](?=[a-z])/g, (letter) => ` ${letter.toLowerCase()}`)
    .replaceAll(/ +([A-Z])(?=[a-z])/g, (_, letter: string) => ` ${letter.toLowerCase()}`);
}

function show(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return String(value);
  // It is compared, digit by digit, with what etcdctl prints.
  if (name === 'hash') return String(value);
  return /bytes$/i.test(name) ? formatBytes(value) : formatCount(value);
}
