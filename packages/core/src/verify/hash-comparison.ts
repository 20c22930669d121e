import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { readStoreRevisions, ROW_BUCKET } from '../mvcc/store-info.ts';
import { markSupersededRows } from '../mvcc/superseded-rows.ts';
import type { ProofComparison } from '../repository/proof-record.ts';

/** A hash that somebody else gave for a revision of the same history. */
export interface ExpectedHash {
  with: ProofComparison['with'];
  /** Of the full or witness. */
  key?: string;
  revision: number;
  compactRevision: number;
  hash: number;
}

/**
 * Whether a hash can be held against a chain at all: the chain must reach its revision, and must not have been compacted further than
 * the store that was hashed. @returns why not, undefined when it can.
 */
export function unusableReason(
  expected: Pick<ExpectedHash, 'revision' | 'compactRevision'>,
  chain: { compactRevision: number; to: number },
): string | undefined {
  if (expected.revision > chain.to) return `the chain ends at revision ${chain.to}`;
  if (expected.compactRevision < chain.compactRevision) {
    return `it was computed by a store compacted at ${expected.compactRevision}, and the chain begins with one compacted at ${chain.compactRevision}`;
  }
  return undefined;
}

/**
 * Holds a hash against the rows of a rebuilt database. What does not apply is `unusable`, and says nothing against the rows.
 * Source of the rule about nothing alive: docs/decisions, "HashKV with nothing alive".
 */
export async function compareHash(
  file: BoltFile,
  expected: ExpectedHash,
  signal?: AbortSignal,
): Promise<ProofComparison> {
  const { revision, compactRevision } = expected;
  const base: Omit<ProofComparison, 'outcome'> = {
    with: expected.with,
    ...(expected.key === undefined ? {} : { key: expected.key }),
    revision,
    compactRevision,
    expected: expected.hash,
  };
  const store = readStoreRevisions(file);
  const reason = unusableReason(expected, { compactRevision: store.compactRevision, to: store.revision });
  if (reason !== undefined) return { ...base, outcome: 'unusable', reason };
  const { hash: found } = await hashKV(file, { revision, compactRevision, signal });
  if (found === expected.hash) return { ...base, found, outcome: 'equal' };
  if (!(await isAnythingAlive(file, revision, signal))) {
    const why = 'no key was alive at its revision: etcd then hashes what its compaction happens to have left';
    return { ...base, found, outcome: 'unusable', reason: why };
  }
  const rule = `HashKV is ${found}, and must be ${expected.hash}`;
  return { ...base, found, outcome: 'different', reason: rule };
}

/** HashKV of a full at its own end, for the chain before it; `compactRevision`: at least the full's own. */
export async function hashOfFull(
  path: string,
  key: string,
  options: { compactRevision: number; signal?: AbortSignal | undefined },
): Promise<ExpectedHash> {
  using file = BoltFile.open(path);
  const { hash, revision, compactRevision } = await hashKV(file, options);
  return { with: 'full', key, revision, compactRevision, hash };
}

async function isAnythingAlive(file: BoltFile, revision: number, signal: AbortSignal | undefined): Promise<boolean> {
  const bucket = file.bucket(ROW_BUCKET);
  if (bucket === undefined) throw new EtcdOpsError('MVCC_DAMAGED', { message: `${file.path} has no bucket of rows` });
  const range = { compactRevision: revision, revision };
  const { superseded } = await markSupersededRows(bucket, range, new Yielder({ signal }));
  return !superseded.allMarked;
}
