import { Command } from 'commander';
import { addRepositoryOptions, type RepositoryOptions } from '../options/repository-options.ts';
import { outputOption } from '../options/parse.ts';

/** `etcd-ops list`: what is stored, and what can be restored from it. */
export function listCommand(): Command {
  const command = new Command('list')
    .summary('show what is stored and what can be restored')
    .description('Shows the fulls, deltas, restorable ranges and gaps of a repository. Reads the store and nothing else.');
  return addRepositoryOptions(command)
    .addOption(outputOption())
    .action(async (options: RepositoryOptions & { output: 'table' | 'json' }) => {
      const { runList } = await import('../restore/run-list.ts');
      await runList(options);
    });
}
