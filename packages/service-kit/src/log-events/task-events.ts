import { type LogEvents } from './log-event.ts';

/** Schedules, tasks, and people who are told. */
export const TASK_EVENTS = {
  'task-dispatched': ['info', 'Task dispatched'],
  'task-started': ['info', 'Task started'],
  'task-done': ['info', 'Task done'],
  'task-failed': ['warn', 'Task failed', 'It comes again; the error has the cause, and `retryInMs` says when.'],
  'task-dead': [
    'error',
    'Task given up',
    'After all attempts, or an error that no repetition mends. The next tick brings another one.',
    'seeing-it-backups-stand-still',
  ],
  'task-released': ['info', 'Task handed back'],
  'task-newer': [
    'error',
    'A task of a later version is left to others',
    'It goes back into the queue for half an hour.',
    'upgrading-a-fleet',
  ],
  'task-bus-failed': ['warn', 'The bus failed around a task', 'NATS was away or slow; the task comes again.'],
  'task-consumer-made': ['warn', 'The consumer of the tasks is made again', 'It was gone, or had forgotten tasks.'],
  'tasks-unreadable': [
    'error',
    'The queue holds tasks that nobody can read',
    'A lone NATS server lost power; an operator has to empty the queue.',
    'seeing-it-backups-stand-still',
  ],
  'task-dispatch-failed': [
    'error',
    'Could not dispatch a task',
    'The tick is lost unless another scheduler has it.',
    'seeing-it-backups-stand-still',
  ],
  'schedule-wrong': [
    'error',
    'A schedule cannot be followed',
    'The spec names no moment, or an unknown time zone; the cluster has no ticks of this kind.',
    'many-clusters-up',
  ],
  'stream-unseen': [
    'warn',
    'Cannot look at the stream; no deltas are asked for meanwhile',
    "NATS did not answer; the watcher's own requests still work.",
  ],
  'stream-seen': ['info', 'The stream can be looked at again'],
  'gc-due-unknown': ['warn', 'Cannot learn whether garbage collection is due', 'Looked at again at the next tick.'],
  'merge-due-unknown': ['warn', 'Cannot learn whether a merge is due', 'Looked at again at the next tick.'],
  'copy-due-unknown': ['warn', 'Cannot learn whether a copy is due', 'Looked at again at the next tick.'],
  'last-full-awaited': [
    'warn',
    'Waiting to learn of the last full',
    'The first tick of a cluster needs it; NATS does not answer.',
  ],
  'last-proof-awaited': [
    'warn',
    'Waiting to learn of the last proof',
    'The first proof of a cluster needs it; NATS does not answer.',
  ],
  'chain-full-failed': [
    'error',
    'Could not ask for a full',
    'The deltas since the last full have grown beyond their share.',
    'seeing-it-backups-stand-still',
  ],
  'proof-full-failed': [
    'error',
    'Could not ask for a full after a failed edge proof',
    'The third witness has to be asked for by hand: `snapshot`.',
    'what-proof-means',
  ],
  'history-reopened': ['warn', 'The history is followed anew', 'Metrics of tasks are read again from the beginning.'],
  notified: ['info', 'People were told'],
  'notify-retried': ['warn', 'People are told again later', 'The webhook or the command failed; it is tried again.'],
  'notify-dropped': [
    'error',
    'People could not be told',
    'After all attempts; the line names the happenings.',
    'seeing-it-notifications',
  ],
  'notify-reopened': [
    'warn',
    'What people are to be told is read anew',
    'NATS was away; what was told may be told again.',
  ],
} as const satisfies LogEvents;
