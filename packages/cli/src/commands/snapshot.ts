import { Command, Option } from 'commander';
import { addRepositoryOptions } from '../options/repository-options.ts';
import { collect, parseBoolean, parseBytes, parseCount, parseDuration } from '../options/parse.ts';
import type { SnapshotOptions } from '../daemon/run-snapshot.ts';

/** `etcd-ops snapshot`: backs up one cluster until it is stopped. Flags and defaults are those of the seed tool's README. */
export function snapshotCommand(): Command {
  const command = new Command('snapshot')
    .summary('back up a cluster: full snapshots on schedule, deltas between them')
    .description('Backs up one etcd cluster until stopped: full snapshots on schedule and every change between them. SIGTERM flushes the last delta.');
  return addTimes(addEtcd(addRepositoryOptions(command)))
    .option('--state-dir <path>', 'where the private NATS server keeps its data (default: <bucket>/.etcd-ops/<cluster>)')
    .option('--http <host:port>', 'where /livez, /readyz and /metrics are served', '127.0.0.1:0')
    .option('--restore-root <path>', 'a folder below which restores asked over NATS may write; repeatable', collect)
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(['trace', 'debug', 'info', 'warn', 'error']).default('info').env('ETCD_OPS_LOG_LEVEL'))
    .action(async (options: SnapshotOptions) => {
      const { runSnapshot } = await import('../daemon/run-snapshot.ts');
      await runSnapshot(options);
    });
}

function addEtcd(command: Command): Command {
  return command
    .addOption(new Option('--endpoints <urls>', 'etcd endpoints of one cluster, comma separated').argParser(collect).env('ETCD_OPS_ENDPOINTS'))
    .addOption(new Option('--ca-cert, --cacert <file>', 'CA of the servers (PEM)').env('ETCD_OPS_CACERT'))
    .addOption(new Option('--cert <file>', 'client certificate (PEM)').env('ETCD_OPS_CERT'))
    .addOption(new Option('--key <file>', 'key of the client certificate (PEM)').env('ETCD_OPS_KEY'))
    .addOption(new Option('--insecure-skip-tls-verify [boolean]', 'do not verify the certificates of the servers').argParser(parseBoolean).preset('true').default(false))
    .addOption(new Option('--etcd-username <name>', 'etcd user; full snapshots need the role root').env('ETCD_OPS_ETCD_USERNAME'))
    .addOption(new Option('--etcd-password-file <file>', 'file that holds the password').env('ETCD_OPS_ETCD_PASSWORD_FILE'))
    .addOption(new Option('--etcd-connection-timeout <duration>', 'limit of one connection attempt').argParser(parseDuration).default(30_000, '30s'))
    .addOption(new Option('--etcd-snapshot-timeout <duration>', 'limit of one full snapshot').argParser(parseDuration).default(900_000, '15m'))
    .addOption(new Option('--etcd-defrag-timeout <duration>', 'limit of the defragmentation of one member').argParser(parseDuration).default(480_000, '8m'));
}

function addTimes(command: Command): Command {
  return command
    .option('--schedule <cron>', 'when full snapshots are taken', '*/20 * * * *')
    .addOption(new Option('--delta-snapshot-period <duration>', 'how often waiting changes become a delta; 0 turns deltas off').argParser(parseDuration).default(10_000, '10s'))
    .addOption(new Option('--delta-snapshot-memory-limit <bytes>', 'a delta is made early when this much waits').argParser(parseBytes).default(10_485_760))
    .addOption(new Option('--garbage-collection-policy <policy>', 'which fulls are kept').choices(['LimitBased', 'KeepAlways']).default('LimitBased'))
    .addOption(new Option('--garbage-collection-period <duration>', 'how often old backups are removed').argParser(parseDuration).default(60_000, '1m'))
    .addOption(new Option('--max-backups <count>', 'how many fulls LimitBased keeps').argParser(parseCount).default(240))
    .addOption(new Option('--delta-retention <rule>', 'how long deltas are kept').choices(['with-base', 'newest-chain']).default('with-base'))
    .option('--defrag-schedule <cron>', "when members are defragmented; 'never' turns it off", '0 0 */3 * *')
    .addOption(new Option('--enable-compression [boolean]', 'compress full snapshots').argParser(parseBoolean).preset('true').default(false))
    .addOption(new Option('--compression-policy <codec>', 'how they are compressed').choices(['gzip', 'zlib', 'zstd', 'none']).default('gzip'));
}
