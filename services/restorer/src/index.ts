export { createRestorerService } from './service.ts';
export { restorerSettings, type RestorerSettings } from './settings.ts';
