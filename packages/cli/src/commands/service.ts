import { SERVICES, type ServiceName } from '../daemon/service-names.ts';
import { defineCommand } from '../options/define-command.ts';

/** `etcd-ops service NAME`: one service as its own process, configured by `ETCD_OPS_*` variables. */
export const serviceCommand = defineCommand({
  name: 'service',
  task: 'fleet',
  summary: { en: 'run one service as its own process', zh: '以独立进程运行一个服务' },
  description: {
    en: 'Runs one service as its own process, as a fleet does. It is configured by ETCD_OPS_* variables.',
    zh: '像大规模部署那样，以独立进程运行一个服务。通过 ETCD_OPS_* 环境变量配置。',
  },
  argument: { name: 'name', required: true, choices: SERVICES, en: 'which service', zh: '哪个服务' },
  flags: {},
  examples: [
    {
      command: 'ETCD_OPS_NATS_URL=nats://10.0.0.5:4222 etcd-ops service watcher',
      en: 'a watcher of a fleet',
      zh: '运行一个 watcher',
    },
  ],
  exitCodes: [10],
  run: async (_, name) => {
    const { runService } = await import('../daemon/run-service.ts');
    // One of the choices: anything else was refused before.
    await runService(name as ServiceName);
  },
});
