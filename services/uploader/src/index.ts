export { uploaderSettings, type UploaderSettings } from './settings.ts';
export { createUploaderService } from './service.ts';
