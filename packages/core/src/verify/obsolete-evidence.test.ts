import { expect, test } from 'vitest';
import type { ProofEntry, WitnessEntry } from '../repository/read-proofs.ts';
import { inventoryOf, minute, SAMPLE_CLUSTER as cluster } from '../repository/repository-samples.ts';
import { obsoleteEvidence } from './obsolete-evidence.ts';

const inventory = inventoryOf(
  [
    { revision: 100, compact: 80 },
    { revision: 200, compact: 150 },
  ],
  [],
);
const proof = (revision: number, changes: Partial<ProofEntry> = {}): ProofEntry => {
  const { proof: kind = 'chain', verdict = 'ok', provedAtMs = minute(revision), timeline = 1 } = changes;
  const key = `${timeline}/${revision}/${kind}/${verdict}/${provedAtMs}`;
  return { key, cluster, timeline, revision, createdAtMs: minute(revision), provedAtMs, proof: kind, verdict };
};
const witness = (revision: number, timeline = 1): WitnessEntry => {
  return { key: `w${timeline}/${revision}`, cluster, timeline, revision, askedAtMs: minute(revision), memberId: '1' };
};

test('witnesses from before anything that can be restored go', () => {
  const witnesses = [witness(60), witness(79), witness(80), witness(170), witness(170, 2)];
  expect(obsoleteEvidence(inventory, [], witnesses)).toEqual(['w1/60', 'w1/79']);
  const later = inventoryOf([{ revision: 300, timeline: 3 }], []);
  expect(obsoleteEvidence(later, [], [witness(170), witness(170, 4)])).toEqual(['w1/170']);
});

test('of one timeline, the newest ten thousand witnesses stay', () => {
  const witnesses = Array.from({ length: 10_003 }, (_, index) => witness(100 + index));
  expect(obsoleteEvidence(inventory, [], witnesses)).toEqual(['w1/100', 'w1/101', 'w1/102']);
});

test('proofs of fulls that are gone go, and of each full the newest few stay', () => {
  const many = Array.from({ length: 7 }, (_, index) => proof(200, { provedAtMs: minute(300 + index) }));
  const found = obsoleteEvidence(inventory, [proof(50), proof(100), ...many, proof(100, { proof: 'edge' })], []);
  expect(found.toSorted()).toEqual([proof(50).key, many[0]!.key, many[1]!.key].toSorted());
});

test('proofs that decided nothing push out none that did', () => {
  const open = Array.from({ length: 9 }, (_, index) =>
    proof(200, { verdict: 'open', provedAtMs: minute(300 + index) }),
  );
  const found = obsoleteEvidence(inventory, [proof(200), ...open], []);
  expect(found.toSorted()).toEqual(
    open
      .slice(0, 4)
      .map(({ key }) => key)
      .toSorted(),
  );
});

test('where an edge failed, every edge of the timeline stays', () => {
  const edges = [proof(50, { proof: 'edge' }), proof(60, { proof: 'edge', verdict: 'failed' })];
  expect(obsoleteEvidence(inventory, [...edges, proof(50)], [])).toEqual([proof(50).key]);
  expect(obsoleteEvidence(inventory, [edges[0]!], [])).toEqual([edges[0]!.key]);
});
