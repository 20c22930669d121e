import { createGcMetrics } from '@etcd-ops/garbage-collector';
import { createDefragMetrics, createWitnessMetrics } from '@etcd-ops/maintainer';
import { createProofMetrics } from '@etcd-ops/restorer';
import { createSchedulerMetrics } from '@etcd-ops/scheduler';
import {
  BUILD_INFO,
  createContextMetrics,
  createMetrics,
  createStoreMeters,
  createTaskMetrics,
  type MetricDescription,
  type Metrics,
} from '@etcd-ops/service-kit';
import { createUploaderMetrics } from '@etcd-ops/uploader';
import { createCaptureMetrics } from '@etcd-ops/watcher';

export interface DeclaredMetrics {
  /** Who has them. */
  who: string;
  metrics: MetricDescription[];
}

/** Every metric of our own, as the services themselves declare it. */
export function declaredMetrics(): DeclaredMetrics[] {
  const declare = (who: string, ...makers: ((metrics: Metrics) => unknown)[]): DeclaredMetrics => {
    const metrics = createMetrics('docs');
    for (const make of makers) make(metrics);
    return { who, metrics: metrics.describe() };
  };
  const everywhere = declare('Every process', createContextMetrics, createStoreMeters);
  return [
    { ...everywhere, metrics: [BUILD_INFO, ...everywhere.metrics] },
    declare('Uploader, garbage collector, maintainer, restorer: whoever works off tasks', createTaskMetrics),
    declare('Scheduler', createSchedulerMetrics),
    declare('Watcher', createCaptureMetrics),
    declare('Uploader', createUploaderMetrics),
    declare('Garbage collector', createGcMetrics),
    declare('Maintainer', createDefragMetrics, createWitnessMetrics),
    declare('Restorer', createProofMetrics),
  ];
}
