/** What `list` says of proofs. */
export const LISTED_PROOFS = {
  'proofs.proven.*': 'the newest chain that was proven, with the fields of `proofs.chains[]`',
  'proofs.restoreMs': 'milliseconds that the newest restore in scratch space took',
  'proofs.chains[].proof': '`chain`: rebuilt and hashed; the newest of each full, newest first',
  'proofs.chains[].verdict': '`ok`; `failed`; `open`: sound, but nothing was at hand to hold it against',
  'proofs.chains[].timeline': 'its timeline',
  'proofs.chains[].full': 'key of the full that it begins with',
  'proofs.chains[].from': 'the first revision that it restores',
  'proofs.chains[].to': 'the last one',
  'proofs.chains[].provenTo': 'of an `ok` one: up to where the cluster vouched for it',
  'proofs.chains[].provedAt': 'when',
  'proofs.chains[].restoreMs': 'milliseconds that its restore took',
  'proofs.chains[].equal': 'hashes of the cluster that it was equal to',
  'proofs.chains[].problem': 'why it failed or is open',
  'proofs.failed[].*':
    'chains and edges that failed, with the fields of `proofs.chains[]`; `proof` is `chain` or `edge`',
  'doubts[].key': 'an object that a failed proof speaks against: plans go round it where they can',
  'doubts[].reason': 'what differs',
};

export const VERIFIED = {
  cluster: 'the repository',
  depth: '`quick`, `read` or `prove`',
  verdict:
    '`sound`, `partial` (not all can be restored, or read here), `failed` (things that must be equal are not), `damaged`',
  fulls: 'fulls that were looked at',
  deltas: 'deltas that were looked at',
  bytesRead: 'stored bytes that were read',
  durationMs: 'milliseconds that it took',
  'restorable[].timeline': 'what can be restored without the damaged objects: a timeline',
  'restorable[].from': 'the first revision of a range',
  'restorable[].to': 'its last',
  'findings[].kind': '`damaged`, `failed`, `partial` or `note`',
  'findings[].what': 'an object, or what else it is about',
  'findings[].why': 'what is wrong',
  'findings[].remedy': 'what to do',
  'proofs[].*': 'of `--prove`, one for each chain: the fields of a proof record, docs/FORMAT.md',
};

export const MERGED = {
  dryRun: 'whether nothing was written',
  'windows[].timeline': 'a window that is merged: its timeline',
  'windows[].windowMs': 'its length',
  'windows[].first': 'its first revision',
  'windows[].last': 'its last revision',
  'windows[].inputs': 'deltas that become one',
  'windows[].bytes': 'their stored bytes',
  'windows[].key': 'key of the merged delta; not with --dry-run',
  'windows[].mergedBytes': 'its stored bytes',
  'windows[].rows': 'its rows',
};
