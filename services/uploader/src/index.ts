export { uploaderSettings, type UploaderSettings } from './settings.ts';
export { createUploaderMetrics } from './metrics.ts';
export { createUploaderService } from './service.ts';
