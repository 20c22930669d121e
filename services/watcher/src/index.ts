export { LeaseTracker, type LeaseLimits, type LeaseSource } from './lease-tracker.ts';
export { watcherSettings, type WatcherSettings } from './settings.ts';
export { createCaptureMetrics } from './metrics.ts';
export { createWatcherService } from './service.ts';
