import { runMain } from '@etcd-ops/service-kit';
import { createGarbageCollectorService } from './service.ts';
import { garbageCollectorSettings } from './settings.ts';

await runMain({ name: 'garbage-collector', settings: garbageCollectorSettings, create: createGarbageCollectorService });
