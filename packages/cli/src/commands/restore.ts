import { Command, Option } from 'commander';
import { addRepositoryOptions } from '../options/repository-options.ts';
import { collect, outputOption, parseBoolean, parseCount, parseTime } from '../options/parse.ts';
import type { RestoreOptions } from '../restore/run-restore.ts';

/** `etcd-ops restore`: a data directory from the store alone. Flags and defaults are those of the seed tool's README and of etcdctl. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .summary('restore any moment into a data directory that etcd boots from')
    .description('Restores the newest state, a revision or a time into a new etcd data directory. Needs the store and nothing else.');
  return addRepositoryOptions(command)
    .option('--data-dir <path>', 'the data directory to make; it must not hold data', 'default.etcd')
    .option('--wal-dir <path>', 'the directory of the write-ahead log, when it is elsewhere')
    .option('--name <member>', 'name of this member', 'default')
    .option('--initial-cluster <members>', 'all members: name=peer-url,...', 'default=http://localhost:2380')
    .option('--initial-cluster-token <token>', 'token of the new cluster', 'etcd-cluster')
    .addOption(new Option('--initial-advertise-peer-urls <urls>', 'peer URLs of this member').argParser(collect).default(undefined, 'those of --name in --initial-cluster'))
    .addOption(new Option('--revision <revision>', 'restore this revision').argParser(parseCount).conflicts(['time', 'snapshot']))
    .addOption(new Option('--time <time>', 'restore the last revision surely not later than this time').argParser(parseTime).conflicts(['snapshot']))
    .option('--snapshot <key>', 'restore this full snapshot, as `list` names it')
    .addOption(new Option('--timeline <number>', 'choose among timelines').argParser(parseCount))
    .addOption(new Option('--target <version>', "etcd version that will boot it (default: the cluster's own)").choices(['3.4', '3.5', '3.6']))
    .addOption(new Option('--skip-hash-check [boolean]', "do not check etcd's own hash of the full").argParser(parseBoolean).preset('true').default(false))
    .addOption(new Option('--max-fetchers <count>', 'deltas fetched at once').argParser(parseCount).default(6))
    .option('--plan', 'only say what would be restored from what')
    .addOption(outputOption())
    .action(async (options: RestoreOptions) => {
      const { runRestore } = await import('../restore/run-restore.ts');
      await runRestore(options);
    });
}
