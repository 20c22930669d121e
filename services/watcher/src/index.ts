export { watcherSettings, type WatcherSettings } from './config.ts';
export { createWatcherService } from './service.ts';
