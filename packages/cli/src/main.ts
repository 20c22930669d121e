import { resolveQuickly } from './quick-resolution.ts';

resolveQuickly();
const { start } = await import('./start.ts');
await start(process, process.env);
