import { runMain } from '@etcd-ops/service-kit';
import { watcherSettings } from './settings.ts';
import { createWatcherService } from './service.ts';

await runMain({ name: 'watcher', settings: watcherSettings, create: createWatcherService });
