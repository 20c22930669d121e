import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  decodeClusterRecord,
  decodeDelta,
  decodeManifest,
  decodeTimelineRecord,
  decryptBuffer,
  DELTA_BYTES_MAX,
  EtcdOpsError,
  inspectRaftSnapshot,
  inspectStore,
  inspectWal,
  isEtcdOpsError,
  readSourceFacts,
  recogniseFile,
  walSegmentOf,
  type FullManifest,
  type InspectedStore,
  type RecognisedFile,
} from '@etcd-ops/core';
import { iso, type InspectContext, type Inspection } from './inspection.ts';
import { plainDatabase } from './plain-database.ts';
import { snapFacts, snapWarnings, storeFacts, storeWarnings, walFacts, walWarnings } from './store-facts.ts';

const DOCUMENT_BYTES_MAX = 1024 * 1024;
const KINDS = {
  database: 'full',
  delta: 'delta',
  wal: 'wal',
  'raft-snapshot': 'raft snapshot',
  document: 'document',
} as const;

type Part = Partial<Pick<Inspection, 'kind' | 'facts' | 'warnings'>>;

/** Recognises a file and reads all of it. What makes it unsound is among the damages; other failures are thrown. */
export async function inspectFile(path: string, context: InspectContext): Promise<Inspection> {
  const recognised = recogniseFile(path);
  const base = { kind: KINDS[recognised.kind], warnings: [], damages: [] };
  const facts = { bytes: recognised.bytes, ...(await encryptionFacts(path, recognised)) };
  try {
    const part = await inspectAs(path, recognised, context);
    return { ...base, ...part, facts: { ...facts, ...part.facts } };
  } catch (error) {
    const tellsOfIt = isEtcdOpsError(error) && (error.exitCode === 4 || error.code === 'IDENTITY_MISSING');
    if (!tellsOfIt) throw error;
    return { ...base, facts, damages: [error] };
  }
}

async function inspectAs(path: string, recognised: RecognisedFile, context: InspectContext): Promise<Part> {
  switch (recognised.kind) {
    case 'database':
      return await inspectFull(path, recognised, context);
    case 'delta':
      return await inspectDelta(path, recognised, context);
    case 'wal': {
      const wal = await inspectWal([walSegmentOf(path)], context.signal);
      return { facts: walFacts(wal), warnings: walWarnings(wal) };
    }
    case 'raft-snapshot': {
      const snapshot = inspectRaftSnapshot(path);
      return { facts: snapFacts(snapshot), warnings: snapWarnings(snapshot) };
    }
    case 'document':
      return inspectDocument(path, recognised.bytes);
  }
}

/** What an encrypted file says to whoever has no key. */
async function encryptionFacts(path: string, { encryption, bytes }: RecognisedFile): Promise<Record<string, unknown>> {
  if (encryption === undefined) return {};
  await using file = await open(path, 'r');
  const read = async (offset: number, length: number): Promise<Buffer> =>
    (await file.read(Buffer.alloc(length), 0, length, offset)).buffer.subarray(0, length);
  const facts = await readSourceFacts({ bytes, read }).catch(() => undefined);
  const { firstRevision, lastRevision, timeline, clusterId } = facts?.delta ?? {};
  const recipients = facts?.recipients ?? [];
  return { encryption: { format: encryption, recipients }, timeline, firstRevision, lastRevision, clusterId };
}

async function inspectFull(
  path: string,
  { codec, encryption, bytes }: RecognisedFile,
  context: InspectContext,
): Promise<Part> {
  const manifest = manifestBeside(path);
  if (manifest !== undefined) await checkStored(path, bytes, manifest, context);
  const plainBytes = manifest?.plainBytes;
  await using plain = await plainDatabase(path, { ...context, codec, encryption, bytes, plainBytes });
  const store = await inspectStore(plain.path, context);
  if (manifest !== undefined) checkRevisions(path, store, manifest);
  const { cluster, timeline, clusterId, memberId, etcdVersion, createdAt } = manifest ?? {};
  const known = { cluster, timeline, clusterId, memberId, etcdVersion, createdAt };
  const noHash =
    'It does not end with the SHA-256 that `snapshot save` appends: a copied db, then. Only its structure vouches for it.';
  return {
    facts: {
      codec,
      trailingHash: store.trailingHash,
      manifest: manifest === undefined ? 'absent' : 'fits',
      ...known,
      ...storeFacts(store),
    },
    warnings: [...(store.trailingHash === 'absent' ? [noHash] : []), ...storeWarnings(store)],
  };
}

/** In a repository, the manifest lies beside its full. */
function manifestBeside(path: string): FullManifest | undefined {
  const beside = `${path}.json`;
  if (!existsSync(beside)) return undefined;
  return decodeManifest(readBounded(beside, statSync(beside).size));
}

async function checkStored(
  path: string,
  bytes: number,
  manifest: FullManifest,
  { signal, onProgress }: InspectContext,
): Promise<void> {
  if (bytes !== manifest.storedBytes) {
    throw damagedObject(`${path} has ${bytes} bytes, its manifest says ${manifest.storedBytes}`);
  }
  const hash = createHash('sha256');
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    if (signal.aborted) throw new EtcdOpsError('CANCELLED', { message: 'The operation was cancelled' });
    hash.update(chunk as Buffer);
    onProgress('stored bytes', (done += (chunk as Buffer).length), bytes);
  }
  if (hash.digest('hex') !== manifest.storedSha256) {
    throw damagedObject(`${path} does not have the SHA-256 that its manifest records`);
  }
}

function checkRevisions(path: string, { info }: InspectedStore, manifest: FullManifest): void {
  if (info.revision === manifest.revision && info.compactRevision === manifest.compactRevision) return;
  throw damagedObject(
    `${path} is at revision ${info.revision}, compacted at ${info.compactRevision}; its manifest says ${manifest.revision}, ${manifest.compactRevision}`,
  );
}

async function inspectDelta(
  path: string,
  { bytes, encryption }: RecognisedFile,
  { identities, signal }: InspectContext,
): Promise<Part> {
  const stored = readBounded(path, bytes, DELTA_BYTES_MAX);
  const plain = encryption === undefined ? stored : await decryptBuffer(path, stored, identities);
  const { facts, leases, rowBlocks } = await decodeDelta(plain, { signal });
  return {
    facts: {
      codec: facts.codec,
      timeline: facts.timeline,
      firstRevision: facts.firstRevision,
      lastRevision: facts.lastRevision,
      rows: facts.rowCount,
      rowBytes: facts.rowBytes,
      rowBlocks: rowBlocks.length,
      leases: leases.length,
      firstObserved: iso(facts.firstObservedMs),
      lastObserved: iso(facts.lastObservedMs),
      clusterId: facts.clusterId.toString(16),
      epoch: facts.epoch,
      lastRevisionDigest: facts.lastRevisionDigest,
      sha256: facts.sha256,
    },
  };
}

function inspectDocument(path: string, bytes: number): Part {
  const content = readBounded(path, bytes);
  const document = documentKind(content);
  if (document !== 'manifest') {
    const decode = document === 'cluster record' ? decodeClusterRecord : decodeTimelineRecord;
    const { kind: _, ...facts } = decode(content);
    return { kind: document, facts };
  }
  const { kind: _, ...manifest } = decodeManifest(content);
  const full = join(dirname(path), basename(path).replace(/\.json$/, ''));
  const found = statSync(full, { throwIfNoEntry: false })?.size;
  const state = found === undefined ? 'absent' : found === manifest.storedBytes ? 'present' : 'of another size';
  const warning = `Its full ${full} is ${state}${found === undefined ? '' : `: ${found} bytes`}.`;
  return { kind: 'manifest', facts: { ...manifest, full: state }, warnings: state === 'present' ? [] : [warning] };
}

/** Told by the fields, for files are renamed; what is damaged beyond that counts as a manifest. */
function documentKind(content: Buffer): 'manifest' | 'cluster record' | 'timeline record' {
  const text = content.toString('utf8');
  if (/"kind":\s*"full"/.test(text)) return 'manifest';
  if (text.includes('"startedAtRevision"')) return 'timeline record';
  return text.includes('"clusterId"') ? 'cluster record' : 'manifest';
}

function readBounded(path: string, bytes: number, bytesMax = DOCUMENT_BYTES_MAX): Buffer {
  if (bytes > bytesMax) throw damagedObject(`${path} has ${bytes} bytes, more than the ${bytesMax} it may have`);
  return readFileSync(path);
}

function damagedObject(message: string): EtcdOpsError {
  return new EtcdOpsError('OBJECT_DAMAGED', { message });
}
