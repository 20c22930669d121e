import { runMain } from '@etcd-ops/service-kit';
import { createRestorerService } from './service.ts';
import { restorerSettings } from './settings.ts';

await runMain({ name: 'restorer', settings: restorerSettings, create: createRestorerService });
