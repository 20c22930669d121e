import assert from 'node:assert/strict';

/** Layouts of other tools that are read and written. `seed`: a folder a day; `gardener`: the flat folder v2, and v1 for reading. */
export const FOREIGN_LAYOUTS = ['seed', 'gardener'] as const;
export type ForeignLayout = (typeof FOREIGN_LAYOUTS)[number];

/** How the bytes of a foreign object are compressed. `lzw` (least significant bit first, 8 bits) is gardener's alone, and only read. */
export const FOREIGN_CODECS = ['none', 'gzip', 'zlib', 'lzw'] as const;
export type ForeignCodec = (typeof FOREIGN_CODECS)[number];

const SUFFIX_OF: Record<ForeignCodec, string> = { none: '', gzip: '.gz', zlib: '.zlib', lzw: '.Z' };
const FINAL_SUFFIX = '.final';

/** What the name of a foreign snapshot says: `Full-00000000-00000012-1706877127.gz`. */
export interface SnapshotName {
  kind: 'full' | 'delta';
  /** Of a full always 0; of a delta the revision after the snapshot before it. */
  first: number;
  /** Of a full: read from etcd before the snapshot was asked for, so the file may hold a little more. */
  last: number;
  createdSeconds: number;
  codec: ForeignCodec;
  /** The last one before a cluster is put to sleep. */
  isFinal: boolean;
}

/** Where a foreign snapshot lies below the folder of its cluster. */
export interface ForeignKey extends SnapshotName {
  layout: ForeignLayout;
  version: 'seed' | 'v1' | 'v2';
}

const NAME = /^(Full|Incr)-(\d{1,19})-(\d{1,19})-(\d{1,12})((?:\.gz|\.zlib|\.Z)?)((?:\.final)?)$/;
const PLACE = /^(?:(Backup-\d{8})|(v1)\/Backup-\d{1,12}|(v2))\/([^/]+)$/;

/** Undefined for every name that neither tool would take for a snapshot. */
export function parseSnapshotName(name: string): SnapshotName | undefined {
  const [, kind, firstDigits, lastDigits, created, suffix, final] = NAME.exec(name) ?? [];
  const [first, last] = [Number(firstDigits), Number(lastDigits)];
  if (kind === undefined || first > last || !Number.isSafeInteger(last)) return undefined;
  return {
    kind: kind === 'Full' ? 'full' : 'delta',
    first,
    last,
    createdSeconds: Number(created),
    codec: FOREIGN_CODECS.find((codec) => SUFFIX_OF[codec] === suffix)!,
    isFinal: final !== '',
  };
}

export function formatSnapshotName(name: SnapshotName): string {
  assert(name.first <= name.last, 'a snapshot does not end before it begins');
  const kind = name.kind === 'full' ? 'Full' : 'Incr';
  const [first, last] = [name.first, name.last].map((revision) => String(revision).padStart(8, '0'));
  const suffix = `${SUFFIX_OF[name.codec]}${name.isFinal ? FINAL_SUFFIX : ''}`;
  return `${kind}-${first}-${last}-${name.createdSeconds}${suffix}`;
}

/** What a path below the folder of a cluster names; undefined for the files of others and for chunks. */
export function parseForeignKey(path: string): ForeignKey | undefined {
  const [, seed, v1, v2, file] = PLACE.exec(path) ?? [];
  const name = file === undefined ? undefined : parseSnapshotName(file);
  if (name === undefined) return undefined;
  if (seed !== undefined) {
    // The seed's names have one suffix at most, and it knows neither lzw nor the word final.
    return name.isFinal || name.codec === 'lzw' ? undefined : { ...name, layout: 'seed', version: 'seed' };
  }
  return { ...name, layout: 'gardener', version: (v1 ?? v2) as 'v1' | 'v2' };
}

/** The path below the folder of a cluster at which the tool looks for it, as it writes it today. */
export function foreignPath(layout: ForeignLayout, name: SnapshotName): string {
  const file = formatSnapshotName(name);
  if (layout === 'gardener') return `v2/${file}`;
  const day = new Date(name.createdSeconds * 1000).toISOString().slice(0, 10).replaceAll('-', '');
  return `Backup-${day}/${file}`;
}
