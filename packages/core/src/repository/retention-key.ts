import { decodeClusterName, encodeClusterName } from './cluster-name.ts';
import { digits, TIME_DIGITS } from './key-digits.ts';

/** Records by which people, readers and the garbage collector speak to each other through the store alone. */
export const RETENTION_RECORDS = ['pin', 'hold', 'mark'] as const;
export type RetentionRecordKind = (typeof RETENTION_RECORDS)[number];

export interface RetentionKeyFacts {
  kind: RetentionRecordKind;
  cluster: string;
  /** `<ms when it was made, 13 digits>-<8 hex digits>`. */
  id: string;
}

/** The id of a record made now. `random`: 8 lower-case hex digits. */
export function retentionRecordId(nowMs: number, random: string): string {
  return `${digits(nowMs, TIME_DIGITS)}-${random}`;
}

/** `<cluster>/<pin|hold|mark>/<id>.json`. */
export function retentionRecordKey({ kind, cluster, id }: RetentionKeyFacts): string {
  return `${encodeClusterName(cluster)}/${kind}/${id}.json`;
}

const RECORD = new RegExp(String.raw`^([^/]+)/(${RETENTION_RECORDS.join('|')})/(\d{13}-[0-9a-f]{8})\.json$`);

export function parseRetentionKey(key: string): RetentionKeyFacts | undefined {
  const [, name, kind, id] = RECORD.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  if (cluster === undefined || id === undefined) return undefined;
  return { kind: kind as RetentionRecordKind, cluster, id };
}
