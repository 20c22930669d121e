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

/** Lease records that no rows followed. */
export interface LeaseObjectKeyFacts {
  cluster: string;
  timeline: number;
  /** The last revision that had been captured when they were learned. */
  revision: number;
  observedMs: number;
  /** Of the content: 8 hex digits. */
  tag: string;
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
  | ({ kind: 'delta' } & DeltaKeyFacts)
  | ({ kind: 'leases' } & LeaseObjectKeyFacts);

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

/** `<cluster>/t<timeline>/lease/<revision 20 digits>-<ms 13 digits>-<tag 8 hex>.leases[.age]`. */
export function leaseObjectKey(facts: LeaseObjectKeyFacts): string {
  const { cluster, timeline, revision, observedMs, tag, encryption } = facts;
  const name = [digits(revision, REVISION_DIGITS), digits(observedMs, TIME_DIGITS), tag].join('-');
  return `${timelinePrefix(cluster, timeline)}lease/${name}.leases${encryptionSuffix(encryption)}`;
}

const RECORD = /^([^/]+)\/cluster\.json$/;
const TIMELINE = /^([^/]+)\/t(\d{8})\/timeline\.json$/;
const FULL = /^([^/]+)\/t(\d{8})\/full\/(\d{20})-(\d{13})\.db((?:\.(?:gz|zz|zst))?)((?:\.age)?)$/;
const DELTA = /^([^/]+)\/t(\d{8})\/delta\/(\d{20})-(\d{20})-(\d{13})\.delta((?:\.age)?)$/;
const LEASES = /^([^/]+)\/t(\d{8})\/lease\/(\d{20})-(\d{13})-([0-9a-f]{8})\.leases((?:\.age)?)$/;

/** What a key names; undefined when etcd-ops would never write it (then it is a foreign file and left alone). */
export function parseObjectKey(key: string): ParsedKey | undefined {
  // Listings of 100,000 names come through here: each form is told by its end before it is looked at.
  if (key.endsWith('.json')) {
    const parsed = key.includes('/full/') ? parseManifestKey(key) : parseRecordKey(key);
    return parsed ?? parseEvidenceKey(key) ?? parseRetentionKey(key);
  }
  if (key.includes('/delta/')) return parseDeltaKey(key);
  return key.includes('/lease/') ? parseLeaseObjectKey(key) : parseFullKey(key);
}

function parseManifestKey(key: string): RepositoryKey | undefined {
  const fullKeyText = key.slice(0, -MANIFEST_SUFFIX.length);
  const full = parseFullKey(fullKeyText);
  return full === undefined ? undefined : { ...full, kind: 'manifest', fullKey: fullKeyText };
}

function parseFullKey(key: string): ({ kind: 'full' } & FullKeyFacts) | undefined {
  const [, name, line, last, createdAtMs, suffix, encrypted] = FULL.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  const codec = codecOfSuffix(suffix ?? '');
  const [timeline, revision] = [Number(line), Number(last)];
  if (cluster === undefined || codec === undefined || timeline === 0 || !isRevision(revision)) return undefined;
  return {
    kind: 'full',
    cluster,
    timeline,
    revision,
    createdAtMs: Number(createdAtMs),
    codec,
    ...encryptionOf(encrypted),
  };
}

function parseDeltaKey(key: string): ({ kind: 'delta' } & DeltaKeyFacts) | undefined {
  const found = DELTA.exec(key);
  if (found === null) return undefined;
  const cluster = decodeClusterName(found[1]!);
  const [timeline, first, last] = [Number(found[2]), Number(found[3]), Number(found[4])];
  const isSound = timeline > 0 && isRevision(first) && isRevision(last) && first <= last;
  if (cluster === undefined || !isSound) return undefined;
  return {
    kind: 'delta',
    cluster,
    timeline,
    first,
    last,
    lastObservedMs: Number(found[5]),
    ...encryptionOf(found[6]),
  };
}

function parseLeaseObjectKey(key: string): ({ kind: 'leases' } & LeaseObjectKeyFacts) | undefined {
  const [, name, line, last, observedMs, tag, encrypted] = LEASES.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  const [timeline, revision] = [Number(line), Number(last)];
  if (cluster === undefined || tag === undefined || timeline === 0 || !isRevision(revision)) return undefined;
  return {
    kind: 'leases',
    cluster,
    timeline,
    revision,
    observedMs: Number(observedMs),
    tag,
    ...encryptionOf(encrypted),
  };
}

function isRevision(revision: number): boolean {
  return revision > 0 && revision <= Number.MAX_SAFE_INTEGER;
}

function parseRecordKey(key: string): RepositoryKey | undefined {
  const [, name] = RECORD.exec(key) ?? [];
  const [, timelineName, timeline] = TIMELINE.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? timelineName ?? '');
  if (cluster === undefined || Number(timeline) === 0) return undefined;
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
