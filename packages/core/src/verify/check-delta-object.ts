import { digestFits } from '../encryption/sealed-digest.ts';
import type { Identities } from '../encryption/identities.ts';
import type { DeltaEntry } from '../repository/inventory.ts';
import { blaming, DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchDeltas, type DeltaMemory } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { digestOfRevisionIn, digestOfSpan } from './delta-digest.ts';
import type { RevisionSpan } from './edge-span.ts';

export interface CheckDeltaOptions {
  store: ObjectStore;
  entry: DeltaEntry;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  /** For a delta that is too large to be held in memory; must exist. */
  spoolDir: string;
  /** Revisions inside of it whose digest others recorded. */
  claims: readonly DigestClaim[];
  /** Revisions inside of it that others hold, too. */
  shared?: Iterable<RevisionSpan> | undefined;
  /** Shared by checks that follow each other. */
  memory?: DeltaMemory | undefined;
  signal?: AbortSignal | undefined;
}

/** What another object says about the rows of a revision. */
export interface DigestClaim {
  revision: number;
  /** Sealed when the other object is encrypted. */
  digest: string;
  /** Who says so. */
  key: string;
}

export interface CheckedDelta {
  lastRevisionDigest: string;
  clusterId: bigint;
  /** Claims that its rows do not bear out. */
  contradicted: DigestClaim[];
  /** What it holds of the shared revisions. */
  shared: { span: RevisionSpan; digest: string }[];
}

/**
 * Reads all of a delta: checksums, every block, the order of its rows, its totals, leases and times; and compares the revisions that
 * it shares with others.
 * @throws DamagedObjectError naming it.
 */
export async function checkDeltaObject(options: CheckDeltaOptions): Promise<CheckedDelta> {
  const { store, entry, spoolDir, identities, claims, shared = [], memory, signal } = options;
  for await (const { reader } of fetchDeltas({
    store,
    deltas: [entry],
    spoolDir,
    fetchersMax: 1,
    identities,
    memory,
    signal,
  })) {
    return await blaming(entry.key, async () => {
      const { timeline, clusterId, lastRevisionDigest } = reader.facts;
      if (timeline !== entry.timeline) {
        throw new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule: 'it belongs to another timeline' });
      }
      await reader.verify({ hash: false, signal });
      const contradicted: DigestClaim[] = [];
      for (const claim of claims) {
        const digest = await digestOfRevisionIn(reader, claim.revision, signal);
        if (!digestFits(claim.digest, digest.hex())) contradicted.push(claim);
      }
      const held: CheckedDelta['shared'] = [];
      for (const span of shared) held.push({ span, digest: await digestOfSpan(reader, span, signal) });
      return { lastRevisionDigest, clusterId, contradicted, shared: held };
    });
  }
  throw new DamagedObjectError('STORE_NOT_FOUND', entry.key, { rule: 'it is not there' });
}
