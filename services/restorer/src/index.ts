export { createProofMetrics } from './proof-metrics.ts';
export { createRestorerService } from './service.ts';
export { restorerSettings, type RestorerSettings } from './settings.ts';
