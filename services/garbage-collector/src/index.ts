export { createGarbageCollectorService, createGcMetrics } from './service.ts';
export { garbageCollectorSettings, type GarbageCollectorSettings } from './settings.ts';
export { collectGarbage, type CollectOptions, type CollectReport, type DecisionSummary } from './collect.ts';
