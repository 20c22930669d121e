import {
  apiSubject,
  CLUSTERS_BUCKET,
  JOBS_BUCKET,
  OWNERS_BUCKET,
  STATE_BUCKET,
  TASK_KINDS,
  TASKS_STREAM,
  type TaskKind,
} from '../names.ts';
import {
  asksFor,
  keepsOffSharedStreams,
  LOOKS_AT_STREAMS,
  MANAGES_STREAMS,
  NOTIFIES,
  READS_EVENTS,
  READS_HISTORY,
  readsBucket,
  TRIMS_EVENTS,
  worksOff,
  writesBucket,
} from './js-api.ts';

/**
 * OPS holds the requests of people, the queue of restores and its records; CORE all else. Rights inside of one account can be walked round
 * through the server itself: it delivers what a consumer or a direct get asks for to any subject of the account (docs/MESSAGES.md).
 */
export const ACCOUNTS = ['CORE', 'OPS'] as const;
export type Account = (typeof ACCOUNTS)[number];

export interface Role {
  /** The NATS user. */
  name: string;
  account: Account;
  /** Half a sentence for the documents. */
  does: string;
  publish: readonly string[];
  publishDeny?: readonly string[];
  subscribe: readonly string[];
  /** May answer what it is asked, on whatever subject the question names. */
  answers?: boolean;
}

/** Requests that change nothing. */
const ASKS = ['list', 'status', 'plan', 'job'].map(apiSubject);
const ORDERS = ['restore', 'snapshot', 'verify'].map(apiSubject);
const FINDS_SERVICES = '$SRV.>';
const PROGRESS = 'etcdops.progress.>';
const RESULTS = ['etcdops.done.>', 'etcdops.dead.>'];

/** Below it the answers for a role arrive, and nobody else may listen there. */
export function inboxPrefix(role: string): string {
  return `_INBOX_${role.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
}

export const ROLES: readonly Role[] = [
  {
    name: 'scheduler',
    account: 'CORE',
    does: 'asks for tasks, follows the history, tells people of what failed',
    publish: [
      ...(['full', 'delta', 'gc', 'merge', 'verify', 'witness', 'defrag', 'copy'] as const).map(asksFor),
      LOOKS_AT_STREAMS,
      ...READS_HISTORY,
      ...NOTIFIES,
      ...readsBucket(CLUSTERS_BUCKET),
      ...readsBucket(STATE_BUCKET),
    ],
    subscribe: [own('scheduler')],
  },
  {
    name: 'watcher',
    account: 'CORE',
    does: 'writes events, asks for fulls and deltas',
    publish: [
      'etcdops.events.*',
      asksFor('full'),
      asksFor('delta'),
      ...READS_EVENTS,
      ...readsBucket(CLUSTERS_BUCKET),
      ...readsBucket(OWNERS_BUCKET),
      ...readsBucket(STATE_BUCKET),
      writesBucket(OWNERS_BUCKET),
    ],
    publishDeny: keepsOffSharedStreams([]),
    subscribe: [own('watcher')],
  },
  {
    name: 'uploader',
    account: 'CORE',
    does: 'reads and trims events, records how far they are durable',
    publish: [
      ...READS_EVENTS,
      TRIMS_EVENTS,
      ...readsBucket(CLUSTERS_BUCKET),
      ...readsBucket(STATE_BUCKET),
      writesBucket(STATE_BUCKET, 'position'),
      ...worksOff('full'),
      ...worksOff('delta'),
    ],
    publishDeny: keepsOffSharedStreams(['full', 'delta']),
    subscribe: [own('uploader')],
  },
  worker('garbage-collector', ['gc', 'copy'], 'works off garbage collections, copies into destinations'),
  worker('maintainer', ['defrag', 'witness'], 'works off defragmentations, asks members for witnesses'),
  {
    name: 'restorer',
    account: 'CORE',
    does: 'reads specs and states, queues the snapshots and proofs that people ask for, works off proofs and merges',
    publish: [
      LOOKS_AT_STREAMS,
      ...READS_HISTORY,
      ...readsBucket(CLUSTERS_BUCKET),
      ...readsBucket(OWNERS_BUCKET),
      ...readsBucket(STATE_BUCKET),
      ...(['full', 'delta', 'verify'] as const).map(asksFor),
      ...worksOff('verify'),
      ...worksOff('merge'),
    ],
    subscribe: [own('restorer')],
  },
  {
    name: 'operator',
    account: 'CORE',
    does: 'makes the streams, registers clusters, sees all',
    publish: [...MANAGES_STREAMS, '$JS.FC.>', writesBucket(CLUSTERS_BUCKET)],
    subscribe: ['_INBOX.>', own('operator'), PROGRESS, ...RESULTS],
  },
  {
    name: 'observer',
    account: 'CORE',
    does: 'sees states and results, changes nothing',
    publish: [
      LOOKS_AT_STREAMS,
      ...READS_HISTORY,
      ...readsBucket(CLUSTERS_BUCKET),
      ...readsBucket(OWNERS_BUCKET),
      ...readsBucket(STATE_BUCKET),
    ],
    subscribe: [own('observer'), PROGRESS, ...RESULTS],
  },
  {
    name: 'restorer-ops',
    account: 'OPS',
    does: 'answers requests, queues restores and works them off',
    publish: [
      'etcdops.task.restore.>',
      ...READS_HISTORY,
      ...readsBucket(STATE_BUCKET),
      ...readsBucket(JOBS_BUCKET),
      writesBucket(JOBS_BUCKET),
      ...worksOffEveryPool('restore'),
    ],
    subscribe: [own('restorer-ops'), ...ASKS, ...ORDERS, FINDS_SERVICES, PROGRESS],
    answers: true,
  },
  {
    name: 'operator-ops',
    account: 'OPS',
    does: 'asks for everything, makes the streams of the account',
    publish: [...ASKS, ...ORDERS, FINDS_SERVICES, ...MANAGES_STREAMS, '$JS.FC.>'],
    subscribe: ['_INBOX.>', own('operator-ops'), PROGRESS, ...RESULTS],
  },
  {
    name: 'observer-ops',
    account: 'OPS',
    does: 'asks for facts, changes nothing',
    publish: [...ASKS, FINDS_SERVICES, ...READS_HISTORY],
    subscribe: [own('observer-ops'), PROGRESS, ...RESULTS],
  },
];

/** Progress of CORE is shown in OPS too; of restores there is none in CORE, so nobody there can make any up. */
export const SHOWN_IN_OPS: readonly string[] = TASK_KINDS.filter((kind) => kind !== 'restore').map(
  (kind) => `etcdops.progress.${kind}.>`,
);

/**
 * How restores ended is shown in CORE too, where its history keeps it: so the scheduler, which has no business in OPS, tells people of those
 * that failed. Nothing that CORE makes of it leads back.
 */
export const SHOWN_IN_CORE: readonly string[] = ['etcdops.done.restore.>', 'etcdops.dead.restore.>'];

function worker(name: string, kinds: readonly TaskKind[], does: string): Role {
  return {
    name,
    account: 'CORE',
    does,
    publish: [...readsBucket(CLUSTERS_BUCKET), ...readsBucket(STATE_BUCKET), ...kinds.flatMap(worksOff)],
    subscribe: [own(name)],
  };
}

/** The consumers of the pools are named after hosts: in the queue of OPS there is nothing but restores. */
function worksOffEveryPool(kind: 'restore'): string[] {
  const api = (verb: string): string => `$JS.API.CONSUMER.${verb}.${TASKS_STREAM}.*`;
  return [
    ...worksOff(kind).filter((subject) => !subject.startsWith('$JS.API.CONSUMER.') && !subject.startsWith('$JS.ACK.')),
    api('INFO'),
    `${api('CREATE')}.etcdops.task.${kind}.>`,
    api('DELETE'),
    api('MSG.NEXT'),
    `$JS.ACK.${TASKS_STREAM}.*.>`,
  ];
}

function own(role: string): string {
  return `${inboxPrefix(role)}.>`;
}
