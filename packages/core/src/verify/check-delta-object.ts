import { digestFits } from '../encryption/sealed-digest.ts';
import type { Identities } from '../encryption/identities.ts';
import type { DeltaReader } from '../delta/delta-reader.ts';
import { RevisionDigest } from '../mvcc/row-block.ts';
import type { DeltaEntry } from '../repository/inventory.ts';
import { blaming, DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchDeltas } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';

export interface CheckDeltaOptions {
  store: ObjectStore;
  entry: DeltaEntry;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  /** For a delta that is too large to be held in memory; must exist. */
  spoolDir: string;
  /** Revisions inside of it whose digest others recorded. */
  claims: readonly DigestClaim[];
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
}

/**
 * Reads all of a delta: checksums, every block, the order of its rows, its totals, leases and times; and compares the revisions that
 * it shares with others.
 * @throws DamagedObjectError naming it.
 */
export async function checkDeltaObject(options: CheckDeltaOptions): Promise<CheckedDelta> {
  const { store, entry, spoolDir, identities, claims, signal } = options;
  for await (const { reader } of fetchDeltas({
    store,
    deltas: [entry],
    spoolDir,
    fetchersMax: 1,
    identities,
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
        if (!digestFits(claim.digest, await digestAt(reader, claim.revision, signal))) contradicted.push(claim);
      }
      return { lastRevisionDigest, clusterId, contradicted };
    });
  }
  throw new DamagedObjectError('STORE_NOT_FOUND', entry.key, { rule: 'it is not there' });
}

async function digestAt(reader: DeltaReader, revision: number, signal: AbortSignal | undefined): Promise<string> {
  const digest = new RevisionDigest();
  for await (const block of reader.rowBlocks({ fromRevision: revision, toRevision: revision, signal })) {
    for (let row = block.firstRowAbove(revision - 1); row < block.firstRowAbove(revision); row++) {
      digest.update(block.key(row), block.value(row));
    }
  }
  return digest.hex();
}
