import { runMain } from '@etcd-ops/service-kit';
import { uploaderSettings } from './settings.ts';
import { createUploaderService } from './service.ts';

await runMain({ name: 'uploader', settings: uploaderSettings, create: createUploaderService });
