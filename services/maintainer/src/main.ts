import { runMain } from '@etcd-ops/service-kit';
import { createMaintainerService } from './service.ts';
import { maintainerSettings } from './settings.ts';

await runMain({ name: 'maintainer', settings: maintainerSettings, create: createMaintainerService });
