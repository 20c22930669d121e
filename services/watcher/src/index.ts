export { watcherSettings, type WatcherSettings } from './settings.ts';
export { createWatcherService } from './service.ts';
