import { type LogEvents } from './log-event.ts';

/** Uploaders. */
export const STORE_EVENTS = {
  'full-stored': ['info', 'A full snapshot was stored'],
  'full-repeated': ['info', 'The full snapshot of this task is stored already'],
  'full-filled': ['info', 'The revisions that nobody captured were written out of the snapshot'],
  'full-stale': [
    'warn',
    'STALE: this full is taken from a member without a quorum; what the cluster acknowledged later may be missing in it',
    'Asked for by `allowStale`.',
  ],
  'full-forked': [
    'warn',
    'The cluster forked, and nobody watches it: this full begins a new timeline',
    'Found by the uploader, where deltas are turned off.',
  ],
  'configuration-not-kept': [
    'warn',
    'The configuration of the cluster could not be kept beside its backups',
    '`fleet rebuild` would find an older one; the next full tries again, and where the store was only away, the next delta or collection.',
  ],
  'position-behind': [
    'warn',
    'The repository is ahead of its recorded position',
    'NATS lost state; what is in the repository counts.',
  ],
  'timeline-followed': ['info', 'The repository follows a new history'],
  'events-skipped': [
    'error',
    'Messages of the event stream do not count',
    'A foreign writer, or damage; the line names the sequences.',
    'when-capture-falls-behind',
  ],
  'events-unanchored': [
    'error',
    'Events that hang on nothing recorded do not count',
    'The stream has no beginning that the repository knows; the watcher mends it.',
    'when-capture-falls-behind',
  ],
  'delta-displaced': [
    'error',
    'Under the name of a delta lies what nobody can read: the delta is stored beside it',
    'The object is damaged or encrypted to somebody else.',
    'what-proof-means',
  ],
  'edge-proved': ['info', 'The edge of this full is proved'],
  'edge-open': [
    'warn',
    'The edge of this full was not proved',
    'Nothing was at hand to hold it against; the next full compares again.',
  ],
  'edge-broken-off': [
    'warn',
    'The edge of this full could not be proved',
    'The error says why; the next full compares again.',
  ],
  'edge-failed': [
    'error',
    'EDGE PROOF FAILED: this full and the deltas before it do not hold the same rows; see "A proof failed" in the operations guide',
    'One of them is not what the cluster held; a third full is asked for.',
    'what-proof-means',
  ],
  'leases-differ': [
    'warn',
    'Leases have another TTL in this full than in the deltas',
    'etcd may grant an id again with another TTL; counted, and no failure.',
  ],
} as const satisfies LogEvents;
