import assert from 'node:assert/strict';
import { codecOfSuffix, codecSuffix, type Codec } from '../codec/codec.ts';
import { decodeClusterName, encodeClusterName } from './cluster-name.ts';
import { parseEvidenceKey, type ParsedEvidenceKey } from './evidence-key.ts';
import { digits, REVISION_DIGITS, TIME_DIGITS, TIMELINE_DIGITS } from './key-digits.ts';
import { parseRetentionKey, type RetentionKeyFacts } from './retention-key.ts';

const MANIFEST_SUFFIX = '.json';

export interface FullKeyFacts {
  cluster: string;
  timeline: number;
  /** S: the last revision of the file. */
  revision: number;
  createdAtMs: number;
  codec: Codec;
  encryption?: Encryption | undefined;
}

export interface DeltaKeyFacts {
  cluster: string;
  timeline: number;
  first: number;
  last: number;
  /** 0 when no time is known. */
  lastObservedMs: number;
  encryption?: Encryption | undefined;
}

/** How the stored bytes of an object are encrypted, compressed or not; absent: they are not. */
export type Encryption = 'age';
const ENCRYPTED_SUFFIX = '.age';

type RepositoryKey =
  | { kind: 'cluster'; cluster: string }
  | { kind: 'timeline'; cluster: string; timeline: number }
  | ({ kind: 'full' } & FullKeyFacts)
  | ({ kind: 'manifest'; fullKey: string } & FullKeyFacts)
  | ({ kind: 'delta' } & DeltaKeyFacts);

export type ParsedKey = RepositoryKey | ParsedEvidenceKey | RetentionKeyFacts;

/** `<cluster>/`, which holds all that is known of one cluster. */
export function clusterPrefix(cluster: string): string {
  return `${encodeClusterName(cluster)}/`;
}

/** `<cluster>/t<8 digits>/`. */
export function timelinePrefix(cluster: string, timeline: number): string {
  assert(timeline > 0, 'timelines are counted from 1');
  return `${clusterPrefix(cluster)}t${digits(timeline, TIMELINE_DIGITS)}/`;
}

export function clusterRecordKey(cluster: string): string {
  return `${clusterPrefix(cluster)}cluster.json`;
}

export function timelineRecordKey(cluster: string, timeline: number): string {
  return `${timelinePrefix(cluster, timeline)}timeline.json`;
}

/** `<cluster>/t<timeline>/full/<S 20 digits>-<ms 13 digits>.db[.gz|.zz|.zst][.age]`. */
export function fullKey({ cluster, timeline, revision, createdAtMs, codec, encryption }: FullKeyFacts): string {
  const name = `${digits(revision, REVISION_DIGITS)}-${digits(createdAtMs, TIME_DIGITS)}`;
  return `${timelinePrefix(cluster, timeline)}full/${name}.db${codecSuffix(codec)}${encryptionSuffix(encryption)}`;
}

/** The manifest lies beside its full and is written last: a full without one does not exist. */
export function manifestKey(key: string): string {
  return `${key}${MANIFEST_SUFFIX}`;
}

/** `<cluster>/t<timeline>/delta/<first 20 digits>-<last 20 digits>-<ms of the last row 13 digits>.delta[.age]`. */
export function deltaKey({ cluster, timeline, first, last, lastObservedMs, encryption }: DeltaKeyFacts): string {
  assert(first > 0 && first <= last, 'a delta holds at least one revision');
  const name = [
    digits(first, REVISION_DIGITS),
    digits(last, REVISION_DIGITS),
    digits(lastObservedMs, TIME_DIGITS),
  ].join('-');
  return `${timelinePrefix(cluster, timeline)}delta/${name}.delta${encryptionSuffix(encryption)}`;
}

const RECORD = /^([^/]+)\/cluster\.json$/;
const TIMELINE = /^([^/]+)\/t(\d{8})\/timeline\.json$/;
const FULL = /^([^/]+)\/t(\d{8})\/full\/(\d{20})-(\d{13})\.db((?:\.(?:gz|zz|zst))?)((?:\.age)?)$/;
const DELTA = /^([^/]+)\/t(\d{8})\/delta\/(\d{20})-(\d{20})-(\d{13})\.delta((?:\.age)?)$/;

/** What a key names; undefined when etcd-ops would never write it (then it is a foreign file and left alone). */
export function parseObjectKey(key: string): ParsedKey | undefined {
  const isManifest = key.endsWith(MANIFEST_SUFFIX) && key.includes('/full/');
  const parsed = isManifest ? parseManifestKey(key) : (parseFullKey(key) ?? parseDeltaKey(key) ?? parseRecordKey(key));
  if (parsed === undefined) return parseEvidenceKey(key) ?? parseRetentionKey(key);
  return buildKey(parsed) === key ? parsed : undefined;
}

function parseManifestKey(key: string): RepositoryKey | undefined {
  const fullKeyText = key.slice(0, -MANIFEST_SUFFIX.length);
  const full = parseFullKey(fullKeyText);
  return full === undefined ? undefined : { ...full, kind: 'manifest', fullKey: fullKeyText };
}

function parseFullKey(key: string): ({ kind: 'full' } & FullKeyFacts) | undefined {
  const [, name, timeline, revision, createdAtMs, suffix, encrypted] = FULL.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  const codec = codecOfSuffix(suffix ?? '');
  if (cluster === undefined || codec === undefined) return undefined;
  return {
    kind: 'full',
    cluster,
    timeline: Number(timeline),
    revision: Number(revision),
    createdAtMs: Number(createdAtMs),
    codec,
    ...encryptionOf(encrypted),
  };
}

function parseDeltaKey(key: string): ({ kind: 'delta' } & DeltaKeyFacts) | undefined {
  const [, name, timeline, first, last, lastObservedMs, encrypted] = DELTA.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  if (cluster === undefined) return undefined;
  return {
    kind: 'delta',
    cluster,
    timeline: Number(timeline),
    first: Number(first),
    last: Number(last),
    lastObservedMs: Number(lastObservedMs),
    ...encryptionOf(encrypted),
  };
}

function parseRecordKey(key: string): RepositoryKey | undefined {
  const [, name] = RECORD.exec(key) ?? [];
  const [, timelineName, timeline] = TIMELINE.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? timelineName ?? '');
  if (cluster === undefined) return undefined;
  return timeline === undefined
    ? { kind: 'cluster', cluster }
    : { kind: 'timeline', cluster, timeline: Number(timeline) };
}

function encryptionSuffix(encryption: Encryption | undefined): string {
  return encryption === undefined ? '' : ENCRYPTED_SUFFIX;
}

function encryptionOf(suffix: string | undefined): { encryption?: Encryption } {
  return suffix === ENCRYPTED_SUFFIX ? { encryption: 'age' } : {};
}

/** Builds the key again: whatever is out of range, or written in another way, does not give the same text. */
function buildKey(parsed: RepositoryKey): string | undefined {
  if ('timeline' in parsed && parsed.timeline === 0) return undefined;
  switch (parsed.kind) {
    case 'cluster':
      return clusterRecordKey(parsed.cluster);
    case 'timeline':
      return timelineRecordKey(parsed.cluster, parsed.timeline);
    case 'full':
    case 'manifest': {
      if (parsed.revision === 0 || parsed.revision > Number.MAX_SAFE_INTEGER) return undefined;
      const key = fullKey(parsed);
      return parsed.kind === 'full' ? key : manifestKey(key);
    }
    case 'delta':
      if (parsed.first === 0 || parsed.first > parsed.last || parsed.last > Number.MAX_SAFE_INTEGER) return undefined;
      return deltaKey(parsed);
  }
}
