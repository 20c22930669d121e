import { clusterOfTask, runTasks, type Bus, type RunTasksOptions, type Task, type TaskEvent } from '@etcd-ops/bus';
import { ERROR_CODES } from '@etcd-ops/core';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { ServiceContext } from './service-context.ts';
import type { Service, ServiceHealth } from './service.ts';

export interface TaskServiceOptions<K extends Task['kind']> extends Omit<
  RunTasksOptions<K>,
  'signal' | 'onEvent' | 'now'
> {
  /** Of the service, as in its logs. */
  name: string;
  context: ServiceContext;
  /** Where its queue is; default the context's. */
  bus?: Bus;
}

const RESULTS = ['done', 'unchanged', 'already-done', 'failed', 'dead', 'released'] as const;
type Result = (typeof RESULTS)[number];
/** All kinds, since several services of one process share the metrics. */
const KINDS = ['full', 'delta', 'gc', 'merge', 'verify', 'witness', 'defrag', 'restore', 'copy'] as const;
const FAILURE_CODES = [...Object.keys(ERROR_CODES), 'INTERNAL'];

/** What every service that works off tasks measures. */
export function createTaskMetrics(metrics: Metrics) {
  return {
    total: metrics.counter({
      name: 'tasks_total',
      help: 'Tasks by how they ended: failed ones are tried again, dead ones were given up, released ones were handed back by a worker that stops.',
      labels: { kind: KINDS, result: RESULTS, cluster: 'cluster' },
      // Those of the kinds that this process works off.
      zeros: 'expected',
    }),
    seconds: metrics.histogram({
      name: 'task_duration_seconds',
      help: 'How long tasks took that ended well.',
      labels: { kind: KINDS, cluster: 'cluster' },
    }),
    failures: metrics.counter({
      name: 'task_failures_total',
      help: 'Attempts at tasks that failed, by the code of the failure (docs/OPERATIONS.md).',
      labels: { code: FAILURE_CODES },
    }),
    running: metrics.gauge({
      name: 'tasks_running',
      help: 'Tasks that this process works on.',
      labels: { kind: KINDS },
    }),
  };
}

/** A service that works off the tasks of one kind, with the log lines, metrics and health that all such services have. */
export function createTaskService<K extends Task['kind']>(options: TaskServiceOptions<K>): Service {
  const { name, context, bus = context.bus, ...taskOptions } = options;
  const logger = context.logger.child({ service: name });
  const watch = new TaskWatch(logger, context.metrics, taskOptions.kind);
  let state: 'not started' | 'running' | 'stopped' = 'not started';
  return {
    name,
    async run(signal) {
      state = 'running';
      try {
        await runTasks(bus, {
          ...taskOptions,
          signal,
          now: () => context.clock.now(),
          onEvent: (event) => watch.note(event),
        });
      } finally {
        state = 'stopped';
      }
    },
    health(): ServiceHealth {
      const { connected } = bus;
      const detail = connected
        ? `${state}, ${watch.running} of ${taskOptions.concurrencyMax} slots in use`
        : 'NATS is away';
      return { live: state !== 'stopped', ready: state === 'running' && connected, detail };
    },
  };
}

/** What happens to tasks, as log lines and metrics. */
class TaskWatch {
  running = 0;
  readonly #logger: Logger;
  readonly #kind: Task['kind'];
  readonly #metrics: ReturnType<typeof createTaskMetrics>;

  constructor(logger: Logger, metrics: Metrics, kind: Task['kind']) {
    this.#logger = logger;
    this.#kind = kind;
    this.#metrics = createTaskMetrics(metrics);
    this.#metrics.total.expect({ kind });
  }

  note(event: TaskEvent): void {
    this.#tell(event);
    this.#metrics.running.set({ kind: this.#kind }, this.running);
  }

  #tell(event: TaskEvent): void {
    switch (event.type) {
      case 'started':
        this.running++;
        this.#logger.info({ ...facts(event.task), attempt: event.attempt }, 'Task started');
        return;
      case 'done':
        this.running--;
        this.#count(event.task.cluster, event.changed ? 'done' : 'unchanged');
        this.#metrics.seconds.observe({ kind: this.#kind, cluster: event.task.cluster }, event.durationMs / 1000);
        this.#logger.info({ ...facts(event.task), durationMs: event.durationMs, changed: event.changed }, 'Task done');
        return;
      case 'already-done':
        this.#count(event.task.cluster, 'already-done');
        return;
      case 'failed':
        this.running--;
        this.#count(event.task.cluster, 'failed');
        this.#metrics.failures.add({ code: event.failure.code });
        this.#logger.warn(
          { ...facts(event.task), attempt: event.attempt, error: event.error, retryInMs: event.retryInMs },
          'Task failed',
        );
        return;
      case 'dead':
        this.#countOf(event.subject, 'dead');
        this.#logger.error(
          { subject: event.subject, attempts: event.attempts, failure: event.failure },
          'Task given up',
        );
        return;
      case 'released':
        this.running = Math.max(0, this.running - 1);
        this.#countOf(event.subject, 'released');
        this.#logger.info({ subject: event.subject }, 'Task handed back');
        return;
      case 'bus-failed':
        this.#logger.warn(
          { error: event.error, ...(event.subject === undefined ? {} : { subject: event.subject }) },
          'The bus failed around a task',
        );
        return;
      case 'newer':
        this.#metrics.failures.add({ code: event.error.code });
        this.#logger.error(
          { subject: event.subject, error: event.error },
          'A task of a later version is left to others',
        );
        return;
      case 'consumer-gone':
        this.#logger.warn('The consumer of the tasks is made again');
        return;
      case 'tasks-unreadable':
        this.#logger.error({ error: event.error }, 'The queue holds tasks that nobody can read');
        return;
    }
  }

  #count(cluster: string, result: Result): void {
    this.#metrics.total.add({ kind: this.#kind, cluster, result });
  }

  /** Of a message that may hold no readable task. */
  #countOf(subject: string, result: Result): void {
    const cluster = clusterOfTask(subject);
    if (cluster !== undefined) this.#count(cluster, result);
  }
}

function facts(task: Task): Record<string, unknown> {
  const { id, kind, cluster, tick } = task;
  return {
    taskId: id,
    kind,
    cluster,
    ...(tick === undefined ? {} : { tick }),
    ...('cause' in task ? { cause: task.cause } : {}),
  };
}
