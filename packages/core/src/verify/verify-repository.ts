import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../base/errors.ts';
import type { Identities } from '../encryption/identities.ts';
import { restorableRanges } from '../repository/coverage.ts';
import { readStoredLeases } from '../lease-object/stored-leases.ts';
import type { DeltaEntry, Inventory, LeaseEntry } from '../repository/inventory.ts';
import { without } from '../repository/plan-restore.ts';
import type { ProofRecord } from '../repository/proof-record.ts';
import { DamagedObjectError } from '../restore/damaged-object.ts';
import { DeltaMemory } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { ChainWitnesses } from './chain-witnesses.ts';
import { checkDeltaObject, type DigestClaim } from './check-delta-object.ts';
import { checkFullObject } from './check-full-object.ts';
import { claimsFor } from './digest-claims.ts';
import { findDisagreement } from './find-disagreement.ts';
import type { ExpectedHash } from './hash-comparison.ts';
import { listingFindings } from './listing-findings.ts';
import { proveChain } from './prove-chain.ts';
import { wasRemovedMeanwhile } from './removed-meanwhile.ts';
import { SharedRevisions, type Disagreement } from './shared-revisions.ts';
import { isUnreadableHere } from './unreadable.ts';
import { verdictOf, type Finding, type VerifyDepth, type VerifyReport } from './verify-report.ts';
import { scopeOf, type Scoped, type VerifyScope } from './verify-scope.ts';

export interface VerifyOptions {
  store: ObjectStore;
  inventory: Inventory;
  depth: VerifyDepth;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  scope?: VerifyScope;
  /** For copies of what is not a plain local file, and for chains that are rebuilt. */
  scratchDir: string;
  scratchBytesMax?: number | undefined;
  /** Hashes that the living cluster gave just now: every chain that they apply to is held against them. */
  clusterHashes?: readonly ExpectedHash[];
  /** Stored witnesses that each chain is held against; 3 unless told. */
  witnessesMax?: number | undefined;
  worker?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((phase: string, bytesDone: number, bytesTotal: number) => void) | undefined;
  onFinding?: ((finding: Finding) => void) | undefined;
  /** Called with each proof as it is done. */
  onProof?: ((record: ProofRecord) => Promise<void>) | undefined;
}

const WITNESSES_DEFAULT = 3;
/** Deltas that are read side by side. */
const DELTAS_PARALLEL = 4;
/** What each of them may hold in memory. */
const DELTA_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Verifies a repository as deep as asked, with bounded memory. What is wrong with it is a finding, never an error: one bad object
 * must not hide the next.
 * @throws EtcdOpsError NO_BACKUP, REVISION_NOT_RESTORABLE and STORE_NOT_FOUND about the scope; STORE_FAILED, DISK_FAILED,
 *   LIMIT_EXCEEDED, CANCELLED.
 */
export async function verifyRepository(options: VerifyOptions): Promise<VerifyReport> {
  return await new Verification(options).run();
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #scoped: Scoped;
  readonly #leases: readonly LeaseEntry[];
  readonly #findings: Finding[] = [];
  readonly #damagedKeys = new Set<string>();
  readonly #proofs: ProofRecord[] = [];
  readonly #bytesTotal: number;
  #bytesRead = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#scoped = scopeOf(options.inventory, options.scope ?? { kind: 'all' });
    this.#leases = leasesOf(options.inventory, this.#scoped);
    const objects = [...this.#scoped.fulls, ...this.#scoped.deltas, ...this.#leases];
    this.#bytesTotal = objects.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async run(): Promise<VerifyReport> {
    const { inventory, depth, scratchDir } = this.#options;
    const beganMs = performance.now();
    for (const finding of listingFindings(inventory, this.#scoped.timeline)) this.#note(finding);
    if (depth !== 'quick') {
      await mkdir(scratchDir, { recursive: true, mode: 0o700 });
      await this.#readFulls();
      await this.#readDeltas();
      await this.#readLeases();
    }
    if (depth === 'prove') await this.#prove();
    const restorable = restorableRanges(without(inventory, this.#damagedKeys));
    this.#noteWhatIsLost(restorable);
    return {
      cluster: inventory.cluster,
      depth,
      verdict: verdictOf(this.#findings),
      fulls: this.#scoped.fulls.length,
      deltas: this.#scoped.deltas.length,
      bytesRead: this.#bytesRead,
      restorable,
      proofs: this.#proofs,
      findings: this.#findings,
      durationMs: Math.round(performance.now() - beganMs),
    };
  }

  async #readFulls(): Promise<void> {
    const { store, scratchDir, identities, signal } = this.#options;
    for (const full of this.#scoped.fulls) {
      const before = this.#bytesRead;
      const onBytes = (bytes: number): void => this.#tell('fulls', before + bytes);
      await this.#judging(
        full,
        async () => await checkFullObject({ store, full, scratchDir, identities, signal, onBytes }),
      );
      this.#tell('fulls', before + full.bytes);
    }
  }

  async #readDeltas(): Promise<void> {
    const { deltas } = this.#scoped;
    const claims = claimsFor(this.#options.inventory, deltas);
    const shared = new SharedRevisions(deltas);
    const disagreements = new Map<string, Disagreement<DeltaEntry>>();
    const queue = deltas.values();
    const worker = async (): Promise<void> => {
      await this.#withSpool(async (spoolDir) => {
        const memory = new DeltaMemory(DELTA_BYTES_MAX);
        for (const entry of queue) {
          const context = { spoolDir, memory, claims: claims.get(entry.key) ?? [] };
          const found = await this.#readDelta(entry, context, shared);
          for (const one of found) {
            const pair = `${one.one.key} ${one.other.key}`;
            if (!disagreements.has(pair)) disagreements.set(pair, one);
          }
          this.#tell('deltas', this.#bytesRead + entry.bytes);
        }
      });
    };
    const outcomes = await Promise.allSettled(Array.from({ length: DELTAS_PARALLEL }, worker));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    await this.#noteDisagreements([...disagreements.values()]);
  }

  async #readLeases(): Promise<void> {
    const { store, identities, signal } = this.#options;
    for (const entry of this.#leases) {
      try {
        await readStoredLeases(store, entry, { identities, signal });
      } catch (error) {
        this.#noteLeases(entry, error);
      }
      this.#tell('leases', this.#bytesRead + entry.bytes);
    }
  }

  #noteLeases({ key: what }: LeaseEntry, error: unknown): void {
    if (isUnreadableHere(error)) {
      const remedy = 'Give an identity that opens it.';
      this.#note({ kind: 'partial', what, why: describeError(error), remedy });
    } else if (!(error instanceof DamagedObjectError)) {
      throw error;
    } else if (error.code === 'STORE_NOT_FOUND') {
      const why = 'it was removed meanwhile';
      this.#note({
        kind: 'note',
        what,
        why,
        remedy: 'Nothing: a larger delta holds its records, or nothing needs them.',
      });
    } else this.#note({ kind: 'damaged', what, why: error.rule, remedy: LEASES_REMEDY });
  }

  /** Returns where it does not hold what a delta read before it holds; spans ascend. */
  async #readDelta(
    entry: DeltaEntry,
    context: { spoolDir: string; memory: DeltaMemory; claims: readonly DigestClaim[] },
    shared: SharedRevisions<DeltaEntry>,
  ): Promise<Disagreement<DeltaEntry>[]> {
    const { store, identities, signal } = this.#options;
    const found: Disagreement<DeltaEntry>[] = [];
    await this.#judging(entry, async () => {
      const spans = shared.spansOf(entry);
      const checked = await checkDeltaObject({ store, entry, ...context, identities, shared: spans, signal });
      for (const { key, revision } of checked.contradicted) this.#noteDiffering(entry, revision, key);
      for (const { span, digest } of checked.shared) {
        const disagreement = shared.compare(entry, span, digest);
        if (disagreement !== undefined) found.push(disagreement);
      }
    });
    return found;
  }

  async #noteDisagreements(disagreements: readonly Disagreement<DeltaEntry>[]): Promise<void> {
    if (disagreements.length === 0) return;
    const { store, identities, signal } = this.#options;
    await this.#withSpool(async (spoolDir) => {
      for (const found of disagreements) {
        await this.#judging(found.other, async () => {
          const revision = await findDisagreement(found, { store, spoolDir, identities, signal });
          this.#noteDiffering(found.other, revision, found.one.key);
        });
      }
    });
  }

  #noteDiffering({ key: what }: DeltaEntry, revision: number, other: string): void {
    const why = `its rows of revision ${revision} are not those of ${other}`;
    this.#note({ kind: 'failed', what, why, remedy: PROOF_REMEDY });
  }

  async #withSpool(work: (directory: string) => Promise<void>): Promise<void> {
    const directory = join(this.#options.scratchDir, `deltas-${process.pid}-${randomUUID()}`);
    await mkdir(directory, { mode: 0o700 });
    try {
      await work(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #prove(): Promise<void> {
    const {
      store,
      inventory,
      scratchDir,
      scratchBytesMax,
      clusterHashes = [],
      worker,
      identities,
      signal,
    } = this.#options;
    const { onProgress, onProof, witnessesMax = WITNESSES_DEFAULT } = this.#options;
    const witnesses = await ChainWitnesses.list(store, inventory.cluster, signal);
    for (const target of this.#scoped.targets) {
      const record = await proveChain({
        ...{ ...target, store, scratchDir, scratchBytesMax, identities, worker, signal, onProgress },
        witnesses: [...clusterHashes, ...(await witnesses.of(target, { witnessesMax, signal }))],
      });
      this.#proofs.push(record);
      this.#noteProof(record);
      await onProof?.(record);
    }
    for (const { key, reason } of witnesses.damaged) {
      this.#note({ kind: 'note', what: key, why: `it is no witness any more: ${reason}`, remedy: 'Nothing needs it.' });
    }
  }

  #noteProof({ verdict, full, to, problem, comparisons = [] }: ProofRecord): void {
    const what = `the chain ${full} to ${to}`;
    const why = problem ?? verdict;
    if (verdict === 'failed') this.#note({ kind: 'failed', what, why, remedy: PROOF_REMEDY });
    else if (verdict === 'open') {
      const isLocked = why.startsWith('Not provable here');
      const remedy = isLocked
        ? 'Give an identity that opens it.'
        : 'The next full of the cluster, or the next witness, proves it.';
      this.#note({ kind: isLocked ? 'partial' : 'note', what, why, remedy });
    }
    for (const { outcome, key, with: other, revision, reason } of comparisons) {
      if (outcome !== 'unusable') continue;
      const remedy = 'Nothing: it says nothing about this chain.';
      this.#note({ kind: 'note', what: key ?? `the ${other} at ${revision}`, why: `unusable: ${reason}`, remedy });
    }
  }

  /** Runs the check of one object: what is wrong with it becomes a finding. */
  async #judging({ key, timeline }: { key: string; timeline: number }, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isUnreadableHere(error)) {
        const remedy = 'Give an identity that opens it.';
        this.#note({ kind: 'partial', what: key, why: describeError(error), remedy });
      } else if (await this.#wasRemoved(error, timeline)) {
        const why = 'it was removed meanwhile, and nothing needs it any more';
        this.#note({ kind: 'note', what: key, why, remedy: 'Nothing: retention did it.' });
      } else if (error instanceof DamagedObjectError) {
        this.#damagedKeys.add(key);
        const remedy = error.code === 'STORE_NOT_FOUND' ? GONE_REMEDY : DAMAGE_REMEDY;
        this.#note({ kind: 'damaged', what: key, why: error.rule, remedy });
      } else throw error;
    }
  }

  async #wasRemoved(error: unknown, timelineNumber: number): Promise<boolean> {
    const { store, inventory, signal } = this.#options;
    const timeline = inventory.timelines.find((found) => found.timeline === timelineNumber)!;
    return await wasRemovedMeanwhile(error, { store, cluster: inventory.cluster, timeline, signal });
  }

  /** A damaged object in the middle: what cannot be restored any more, and what can. */
  #noteWhatIsLost(left: readonly { timeline: number; from: number; to: number }[]): void {
    if (this.#damagedKeys.size === 0) return;
    const ranges = (found: typeof left): string[] => found.map(({ timeline, from, to }) => `${timeline}/${from}-${to}`);
    const before = restorableRanges(this.#options.inventory);
    if (ranges(before).join() === ranges(left).join()) {
      const why = 'everything can still be restored without it, by another chain';
      return this.#note({ kind: 'note', what: 'the damage', why, remedy: 'Restores go round it by themselves.' });
    }
    const still = left.map(({ timeline, from, to }) => `${from} to ${to} (timeline ${timeline})`).join(', ');
    const why = `without what is damaged, these revisions can be restored: ${still === '' ? 'none' : still}`;
    this.#note({ kind: 'partial', what: 'what is left', why, remedy: 'Take a full now: `etcd-ops snapshot --once`.' });
  }

  #note(finding: Finding): void {
    this.#findings.push(finding);
    this.#options.onFinding?.(finding);
  }

  #tell(phase: string, bytesRead: number): void {
    this.#bytesRead = bytesRead;
    this.#options.onProgress?.(phase, bytesRead, this.#bytesTotal);
  }
}

const DAMAGE_REMEDY = 'Plans go round it. Look for the cause (disk, store, somebody else), and take a full now.';
const LEASES_REMEDY =
  'Restores warn and assume a TTL for leases that only it knows. Look for the cause (disk, store, somebody else), and take a full now.';
const GONE_REMEDY = 'It got lost, or somebody removed it: plans go round it. Look for the cause, and take a full now.';
const PROOF_REMEDY = 'Do not trust this chain alone. See "A proof failed" in docs/OPERATIONS.md.';

/** Those that a restore of what is looked at may read. */
function leasesOf(inventory: Inventory, { timeline, fulls }: Scoped): LeaseEntry[] {
  const from = timeline === undefined ? 0 : fulls.reduce((least, { revision }) => Math.min(least, revision), Infinity);
  return inventory.timelines
    .filter((found) => timeline === undefined || found.timeline === timeline)
    .flatMap(({ leases = [] }) => leases.filter(({ revision }) => revision >= from));
}
