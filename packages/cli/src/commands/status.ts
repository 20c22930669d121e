import { Command } from 'commander';
import { addRepositoryOptions } from '../options/repository-options.ts';
import { outputOption } from '../options/parse.ts';
import type { StatusOptions } from '../daemon/run-status.ts';

/** `etcd-ops status`: how the running daemon does. */
export function statusCommand(): Command {
  const command = new Command('status')
    .summary('show how the running daemon does')
    .description('Asks the running daemon how far it has captured, what it did last and what went wrong.');
  return addRepositoryOptions(command)
    .option('--state-dir <path>', 'state directory of the daemon (default: <bucket>/.etcd-ops/<cluster>)')
    .addOption(outputOption())
    .action(async (options: StatusOptions) => {
      const { runStatus } = await import('../daemon/run-status.ts');
      await runStatus(options);
    });
}
