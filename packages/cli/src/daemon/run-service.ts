import { runMain } from '@etcd-ops/service-kit';
import type { ServiceName } from './service-names.ts';

/** The same life as the service's own `main.ts`; each is loaded only when it is asked for. Never returns. */
export async function runService(name: ServiceName): Promise<never> {
  switch (name) {
    case 'scheduler': {
      const { createSchedulerService, schedulerSettings } = await import('@etcd-ops/scheduler');
      return await runMain({ name, settings: schedulerSettings, create: createSchedulerService });
    }
    case 'watcher': {
      const { createWatcherService, watcherSettings } = await import('@etcd-ops/watcher');
      return await runMain({ name, settings: watcherSettings, create: createWatcherService });
    }
    case 'uploader': {
      const { createUploaderService, uploaderSettings } = await import('@etcd-ops/uploader');
      return await runMain({ name, settings: uploaderSettings, create: createUploaderService });
    }
    case 'garbage-collector': {
      const { createGarbageCollectorService, garbageCollectorSettings } = await import('@etcd-ops/garbage-collector');
      return await runMain({ name, settings: garbageCollectorSettings, create: createGarbageCollectorService });
    }
    case 'restorer': {
      const { createRestorerService, restorerSettings } = await import('@etcd-ops/restorer');
      return await runMain({ name, settings: restorerSettings, create: createRestorerService });
    }
    case 'maintainer': {
      const { createMaintainerService, maintainerSettings } = await import('@etcd-ops/maintainer');
      return await runMain({ name, settings: maintainerSettings, create: createMaintainerService });
    }
  }
}
