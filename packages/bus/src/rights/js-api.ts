import {
  ANY_POOL,
  bucketStream,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  DONE_SUBJECTS,
  HISTORY_STREAM,
  JOBS_BUCKET,
  CLUSTERS_BUCKET,
  NOTIFY_DURABLE,
  OWNERS_BUCKET,
  STATE_BUCKET,
  TASK_KINDS,
  taskDurable,
  taskFilter,
  TASKS_STREAM,
  type TaskKind,
} from '../names.ts';

/**
 * The subjects of the JetStream API that our own calls use, in the groups in which roles are given them. Names of streams cannot be
 * matched by a prefix (a wildcard is a whole token): who may touch any event stream is kept from the fixed ones by `deny`.
 */

const API = '$JS.API';

/** Streams that everybody shares; all others are event streams. */
const SHARED_STREAMS = [TASKS_STREAM, HISTORY_STREAM, DEAD_STREAM];
const BUCKET_STREAMS = [CLUSTERS_BUCKET, OWNERS_BUCKET, STATE_BUCKET, JOBS_BUCKET].map(bucketStream);

/** Get, list and watch. */
export function readsBucket(bucket: string): string[] {
  const stream = bucketStream(bucket);
  return [
    `${API}.STREAM.INFO.${stream}`,
    `${API}.STREAM.MSG.GET.${stream}`,
    // The client makes the consumers of a bucket without a name, by the older of two subjects, which names no filter.
    `${API}.CONSUMER.CREATE.${stream}`,
    `${API}.CONSUMER.CREATE.${stream}.*.$KV.${bucket}.>`,
    `${API}.CONSUMER.INFO.${stream}.*`,
    `${API}.CONSUMER.DELETE.${stream}.*`,
    `$JS.FC.${stream}.>`,
  ];
}

/** Keys below a prefix of whole tokens: `position`; without one, all. */
export function writesBucket(bucket: string, prefix?: string): string {
  return prefix === undefined ? `$KV.${bucket}.>` : `$KV.${bucket}.${prefix}.>`;
}

/** Pulls the tasks of one kind and settles them; its own consumer may be made again when it has forgotten tasks. */
export function worksOff(kind: TaskKind): string[] {
  const durable = taskDurable(kind, ANY_POOL);
  return [
    `${API}.STREAM.INFO.${TASKS_STREAM}`,
    `${API}.STREAM.MSG.GET.${TASKS_STREAM}`,
    `${API}.CONSUMER.INFO.${TASKS_STREAM}.${durable}`,
    `${API}.CONSUMER.CREATE.${TASKS_STREAM}.${durable}.${taskFilter(kind, ANY_POOL)}`,
    `${API}.CONSUMER.DELETE.${TASKS_STREAM}.${durable}`,
    `${API}.CONSUMER.MSG.NEXT.${TASKS_STREAM}.${durable}`,
    `$JS.ACK.${TASKS_STREAM}.${durable}.>`,
    // What it did, and how far it is.
    ...['done', 'dead', 'progress'].map((what) => `etcdops.${what}.${kind}.>`),
    ...['last', 'attempt'].map((what) => writesBucket(STATE_BUCKET, `${what}.${kind}`)),
  ];
}

/** Puts tasks of a kind into the queue, for the pool of all hosts. */
export function asksFor(kind: TaskKind): string {
  return taskFilter(kind, ANY_POOL);
}

/** The facts of any stream: how many messages, where it ends. */
export const LOOKS_AT_STREAMS = `${API}.STREAM.INFO.*`;

/** Reads event streams, by single messages and by consumers of its own. */
export const READS_EVENTS = [
  LOOKS_AT_STREAMS,
  `${API}.STREAM.MSG.GET.*`,
  `${API}.DIRECT.GET.*`,
  `${API}.DIRECT.GET.*.etcdops.events.*`,
  `${API}.CONSUMER.CREATE.*.*.etcdops.events.*`,
  `${API}.CONSUMER.INFO.*.*`,
  `${API}.CONSUMER.MSG.NEXT.*.*`,
  `${API}.CONSUMER.DELETE.*.*`,
];

export const TRIMS_EVENTS = `${API}.STREAM.PURGE.*`;

/** What a reader or trimmer of event streams must not do to the others; `own` are the kinds whose tasks it works off. */
export function keepsOffSharedStreams(own: readonly TaskKind[]): string[] {
  const foreign = TASK_KINDS.filter((kind) => !own.includes(kind)).map((kind) => taskDurable(kind, ANY_POOL));
  const others = SHARED_STREAMS.filter((stream) => own.length === 0 || stream !== TASKS_STREAM);
  return [
    ...others.flatMap((stream) => [`${API}.STREAM.MSG.GET.${stream}`, `${API}.CONSUMER.*.${stream}.>`]),
    ...others.map((stream) => `${API}.CONSUMER.MSG.NEXT.${stream}.*`),
    ...[...SHARED_STREAMS, ...BUCKET_STREAMS].flatMap((stream) => [
      `${API}.STREAM.PURGE.${stream}`,
      `${API}.DIRECT.GET.${stream}`,
      `${API}.DIRECT.GET.${stream}.>`,
    ]),
    ...BUCKET_STREAMS.map((stream) => `${API}.CONSUMER.MSG.NEXT.${stream}.*`),
    ...(own.length === 0
      ? []
      : foreign.flatMap((durable) =>
          ['INFO', 'DELETE', 'MSG.NEXT'].map((verb) => `${API}.CONSUMER.${verb}.${TASKS_STREAM}.${durable}`),
        )),
  ];
}

/** Follows the history with an ordered consumer. */
export const READS_HISTORY = [
  `${API}.STREAM.INFO.${HISTORY_STREAM}`,
  `${API}.STREAM.MSG.GET.${HISTORY_STREAM}`,
  `${API}.CONSUMER.CREATE.${HISTORY_STREAM}.*.etcdops.done.>`,
  `${API}.CONSUMER.INFO.${HISTORY_STREAM}.*`,
  `${API}.CONSUMER.MSG.NEXT.${HISTORY_STREAM}.*`,
  `${API}.CONSUMER.DELETE.${HISTORY_STREAM}.*`,
];

/** Shares what is to be told to people with its other replicas: lines of the history, and dead letters. */
export const NOTIFIES = [
  [HISTORY_STREAM, DONE_SUBJECTS],
  [DEAD_STREAM, DEAD_SUBJECTS],
].flatMap(([stream, subjects]) => [
  `${API}.CONSUMER.CREATE.${stream}.${NOTIFY_DURABLE}.${subjects}`,
  `${API}.CONSUMER.MSG.NEXT.${stream}.${NOTIFY_DURABLE}`,
  `$JS.ACK.${stream}.${NOTIFY_DURABLE}.>`,
]);

/** Creates, changes and removes streams, buckets and consumers: for people and for what registers clusters. */
export const MANAGES_STREAMS = [`${API}.INFO`, `${API}.STREAM.>`, `${API}.CONSUMER.>`, `${API}.DIRECT.GET.>`];
