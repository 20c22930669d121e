import { choice } from './flag.ts';

/** Of every command that serves metrics. */
export const metricsFlags = {
  metricsCompat: choice(['off', 'seed', 'gardener'], {
    section: 'daemon',
    defaultText: { en: 'off', zh: 'off' },
    en: "serve the metrics' names of the seed tool or of gardener's etcd-backup-restore beside our own (docs/METRICS.md)",
    zh: '同时提供原工具（seed）或 gardener etcd-backup-restore 的指标名（见 docs/METRICS.md）',
  }),
};
