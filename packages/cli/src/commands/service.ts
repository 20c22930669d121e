import { Argument, Command } from 'commander';

export const SERVICES = ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'restorer', 'maintainer'] as const;

/** `etcd-ops service NAME`: one service as its own process, configured by `ETCD_OPS_*` variables. */
export function serviceCommand(): Command {
  return new Command('service')
    .summary('run one service as its own process')
    .description('Runs one service as its own process, as a fleet does. It is configured by ETCD_OPS_* variables.')
    .addArgument(new Argument('<name>', 'which service').choices(SERVICES))
    .action(async (name: (typeof SERVICES)[number]) => {
      const { runService } = await import('../daemon/run-service.ts');
      await runService(name);
    });
}
