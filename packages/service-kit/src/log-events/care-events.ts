import { type LogEvents } from './log-event.ts';

/** Garbage collectors, maintainers and restorers. */
export const CARE_EVENTS = {
  removed: ['info', 'Removed by retention'],
  removable: ['info', 'Would be removed by retention'],
  'removal-refused': [
    'warn',
    'The store would not delete what retention removes; it is asked again later',
    'A lock of the store, or a missing right.',
  ],
  'leftovers-removed': ['info', 'Removed what writers left that died'],
  'leftovers-kept': [
    'warn',
    'What writers left that died could not be removed',
    'Tried again with the next collection.',
  ],
  'copy-incomplete': [
    'error',
    'COPY: what is damaged at the source stayed behind',
    'The destination holds all that is sound.',
    'a-second-place-copy',
  ],
  merged: ['info', 'Deltas were merged'],
  'merge-failed': [
    'warn',
    'The deltas of a window could not be merged',
    'The small ones stay, and the window is left alone for a while.',
  ],
  'chain-proved': [
    'info',
    'A chain was rebuilt and held against what the cluster said',
    'As an error when `verdict` is `failed`.',
    'what-proof-means',
  ],
  'verify-failed': [
    'error',
    'VERIFY: something is wrong with the backups',
    'The line and `verify` name it.',
    'what-proof-means',
  ],
  'verify-noted': ['debug', 'Noted about the backups'],
  'witness-none': ['debug', 'No witness was given'],
  'witness-not-stored': [
    'warn',
    'No witness is stored',
    '`reason`: the member lags, the cluster was restored, or nothing can be compared.',
  ],
  'members-disagree': [
    'error',
    'MEMBERS DISAGREE: for the same revision they hash to different values, so one of them is corrupt',
    'Find out which before it becomes the leader.',
    'what-proof-means',
  ],
  defragmented: ['info', 'Member defragmented'],
  'leader-moved': ['info', 'Leadership moved'],
  'alarm-stays': [
    'warn',
    'Space was made, but the alarm NOSPACE stays until it is disarmed',
    '`etcdctl alarm disarm`.',
  ],
  'restore-requested': ['info', 'A restore was asked for'],
  'request-failed': ['warn', 'A request failed', 'An answer of the NATS API was an error of ours.'],
} as const satisfies LogEvents;
