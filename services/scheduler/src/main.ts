import { runMain } from '@etcd-ops/service-kit';
import { createSchedulerService } from './service.ts';
import { schedulerSettings } from './settings.ts';

await runMain({ name: 'scheduler', settings: schedulerSettings, create: createSchedulerService });
