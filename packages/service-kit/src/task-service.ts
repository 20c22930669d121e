import { runTasks, type Bus, type RunTasksOptions, type Task, type TaskEvent } from '@etcd-ops/bus';
import type { Logger } from './logger.ts';
import type { CounterMetric, HistogramMetric, Metrics } from './metrics.ts';
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
type TaskLabels = { kind: readonly Task['kind'][]; result: typeof RESULTS; cluster: 'cluster' };

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
  readonly #total: CounterMetric<TaskLabels>;
  readonly #duration: HistogramMetric<Omit<TaskLabels, 'result'>>;

  constructor(logger: Logger, metrics: Metrics, kind: Task['kind']) {
    this.#logger = logger;
    this.#kind = kind;
    // All kinds, since several services of one process share the metric.
    const kinds = ['full', 'delta', 'gc', 'merge', 'verify', 'witness', 'defrag', 'restore'] as const;
    this.#total = metrics.counter({
      name: 'tasks_total',
      help: 'Tasks by how they ended.',
      labels: { kind: kinds, result: RESULTS, cluster: 'cluster' },
    });
    this.#duration = metrics.histogram({
      name: 'task_duration_seconds',
      help: 'How long tasks took that ended well.',
      labels: { kind: kinds, cluster: 'cluster' },
    });
  }

  note(event: TaskEvent): void {
    switch (event.type) {
      case 'started':
        this.running++;
        this.#logger.info({ ...facts(event.task), attempt: event.attempt }, 'Task started');
        return;
      case 'done':
        this.running--;
        this.#count(event.task.cluster, event.changed ? 'done' : 'unchanged');
        this.#duration.observe({ kind: this.#kind, cluster: event.task.cluster }, event.durationMs / 1000);
        this.#logger.info({ ...facts(event.task), durationMs: event.durationMs, changed: event.changed }, 'Task done');
        return;
      case 'already-done':
        this.#count(event.task.cluster, 'already-done');
        return;
      case 'failed':
        this.running--;
        this.#count(event.task.cluster, 'failed');
        this.#logger.warn(
          { ...facts(event.task), attempt: event.attempt, error: event.error, retryInMs: event.retryInMs },
          'Task failed',
        );
        return;
      case 'dead':
        this.#logger.error(
          { subject: event.subject, attempts: event.attempts, failure: event.failure },
          'Task given up',
        );
        return;
      case 'released':
        this.running = Math.max(0, this.running - 1);
        this.#logger.info({ subject: event.subject }, 'Task handed back');
        return;
      case 'bus-failed':
        this.#logger.warn(
          { error: event.error, ...(event.subject === undefined ? {} : { subject: event.subject }) },
          'The bus failed around a task',
        );
        return;
      case 'consumer-gone':
        this.#logger.warn('The consumer of the tasks is made again');
        return;
    }
  }

  #count(cluster: string, result: Result): void {
    this.#total.add({ kind: this.#kind, cluster, result });
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
