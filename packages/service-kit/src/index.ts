export type { Service, ServiceHealth } from './service.ts';
export { runServices, type RunServicesOptions } from './run-services.ts';
export { runMain, type MainOptions } from './run-main.ts';
export { listenForSignals, type SignalHooks } from './signals.ts';
export {
  createContextMetrics,
  createServiceContext,
  type ServiceContext,
  type ServiceContextOptions,
} from './service-context.ts';
export { baseSettings, LOG_LEVELS, type BaseSettings, type LogLevel } from './config/base-settings.ts';
export {
  environmentName,
  ENVIRONMENT_PREFIX,
  loadServiceConfig,
  unknownVariables,
  type Environment,
} from './config/load-config.ts';
export { processEnvironment } from './config/process-environment.ts';
export { booleanSetting, integerSetting, listSetting } from './config/settings.ts';
export { LOG_EVENTS } from './log-events/index-of-events.ts';
export { type LogEvents } from './log-events/log-event.ts';
export { createLogger, serializeError, type Logger, type LoggerOptions } from './logger.ts';
export { Redaction } from './redaction.ts';
export {
  BUILD_INFO,
  createMetrics,
  DURATION_BUCKETS,
  Metrics,
  METRICS_PREFIX,
  type CounterMetric,
  type GaugeMetric,
  type HistogramMetric,
  type Labels,
  type LabelValues,
  type MetricDescription,
  type MetricOptions,
} from './metrics.ts';
export { COMPAT_NAMES, METRICS_COMPAT, serveCompatMetrics, type MetricsCompat } from './metrics-compat.ts';
export { startHealthServer, type HealthServer, type HealthServerOptions } from './health-server.ts';
export {
  ClusterRegistry,
  type ClusterChange,
  type ClusterListener,
  type ClusterRegistryOptions,
  type SpecSource,
} from './cluster-registry.ts';
export { createStoreMeters } from './store-connections.ts';
export { busSpecSource } from './bus-spec-source.ts';
export { runClusterJobs, type ClusterJobsOptions } from './cluster-jobs.ts';
export { etcdAccess, EtcdConnections, type EtcdLoan } from './etcd-connections.ts';
export { cancelled, systemClock, type Clock } from './clock.ts';
export { keepSpec, recordSpec, type KeepSpecOptions, type KeptSpec } from './kept-spec.ts';
export { ManualClock } from './manual-clock.ts';
export { orCancelled } from './or-cancelled.ts';
export { Pace } from './pace.ts';
export {
  isRetriable,
  retry,
  retryDelayMs,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
  type RetryFailure,
  type RetryOptions,
} from './retry.ts';
export { etcdOpsVersion } from './version.ts';
export { createTaskMetrics, createTaskService, type TaskServiceOptions } from './task-service.ts';
export { joinServices } from './join-services.ts';
