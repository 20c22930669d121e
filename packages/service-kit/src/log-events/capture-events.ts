import { type LogEvents } from './log-event.ts';

/** Watchers. */
export const CAPTURE_EVENTS = {
  'history-begun': [
    'info',
    'A new history begins',
    '`cause` says why: `first`, or as a warning `gap`, `fork` or `resume`.',
  ],
  'capture-resumed': ['info', 'Capture goes on'],
  'capture-resumed-unproven': ['info', 'Capture goes on; its last revision could not be compared'],
  'capture-reopened': [
    'warn',
    'Capture is opened again',
    'The session ended with the error of the line; said again only when it changes.',
  ],
  'capture-behind': [
    'warn',
    'Capture is far behind and catches up by a full snapshot',
    'Nothing lacks afterwards; only times are known less well.',
  ],
  'capture-caught-up': ['info', 'Capture caught up by a full snapshot'],
  'capture-gap': [
    'warn',
    'Revisions were compacted before they were captured: a gap',
    'They are lost; `list` shows the gap, and the metric of it fires the alert.',
  ],
  'capture-forked': [
    'warn',
    'The cluster forked',
    'It does not go on from what was captured: it was restored or replaced. A new timeline begins.',
  ],
  'stream-hole': [
    'error',
    'Messages of the event stream were lost, and what follows them never counts: capture goes on before them',
    'NATS lost what it had acknowledged; rows are captured again from etcd.',
    'when-capture-falls-behind',
  ],
  'stream-not-durable': [
    'error',
    'What was captured does not become durable, since messages lack in the event stream; capture is opened again',
    'As above, found while capturing.',
    'when-capture-falls-behind',
  ],
  'watch-hole': [
    'error',
    'A revision lacks in the watch; capture is opened again from the last whole one',
    'etcd or something between left one out; it is never passed over.',
    'when-capture-falls-behind',
  ],
  'watch-compacted': [
    'warn',
    'A compaction overtook the backlog; capture is opened again',
    'How far the loss goes is found out at the opening.',
  ],
  'watch-broken': ['warn', 'The watch broke; capture is opened again', 'A member went away, or a connection.'],
  'watch-ended': ['warn', 'The watch ended; capture is opened again', 'The member ended it.'],
  'watch-spared': [
    'warn',
    'The watch was cancelled, to spare etcd; capture catches up anew',
    'It was held back for long, or fell far behind: `reason`.',
  ],
  'stream-full': [
    'warn',
    'The event stream is full: capture waits until deltas are stored',
    'See what keeps uploaders from storing.',
  ],
  'durability-unseen': ['debug', 'Cannot look whether what was captured becomes durable'],
  'owner-other': ['info', 'Another watcher owns the cluster now'],
  'owner-given-back': ['info', 'Given back, for another watcher has fewer clusters'],
  'owner-not-renewed': [
    'warn',
    'The ownership could not be renewed; capture goes on',
    'NATS was away; the fence of the stream tells two owners apart.',
  ],
  'owners-unseen': ['debug', 'The owners could not be asked'],
  'watchers-reopened': ['debug', 'The other watchers are followed anew'],
  'watchers-untold': ['debug', 'The other watchers could not be told'],
  'full-requested': ['info', 'A full snapshot was asked for'],
  'full-requested-again': ['debug', 'The full snapshot is asked for again'],
  'full-request-failed': [
    'error',
    'No full snapshot could be asked for',
    'A new history has no base yet; it is tried again.',
    'seeing-it-backups-stand-still',
  ],
  'base-unseen': ['debug', 'Cannot look whether a full snapshot lies under what is captured'],
  'full-first-only': ['info', 'Without deltas, only its first full snapshot was asked for'],
  'delta-requested': ['debug', 'A delta was asked for'],
  'delta-request-failed': ['debug', 'No delta could be asked for'],
  'auth-changed': ['info', 'Users or roles changed: a full snapshot is wanted'],
  'auth-unseen': [
    'warn',
    'Changes of users and roles cannot be followed',
    'Fulls of the schedule hold them all the same; the user of the spec may lack the role `root`.',
  ],
  'leases-asked-again': [
    'info',
    'Leases are asked about again',
    'What the watcher before this one asked may have died with it; without `named`, all that live are asked about.',
  ],
  'leases-unseen': ['warn', 'A question about leases failed', 'Their TTLs are asked for again, or stay unknown.'],
} as const satisfies LogEvents;
