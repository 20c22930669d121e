import { runMain } from '@etcd-ops/service-kit';
import { watcherSettings } from './config.ts';
import { createWatcherService } from './service.ts';

await runMain({ name: 'watcher', settings: watcherSettings, create: createWatcherService });
