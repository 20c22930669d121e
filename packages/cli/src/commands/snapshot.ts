import { defineCommand } from '../options/define-command.ts';
import { boolean, directory, text } from '../options/flag.ts';
import { etcdFlags } from '../options/etcd-options.ts';
import { logFlags, outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags, packingFlags } from '../options/packing-options.ts';
import { restoreRootFlags } from '../options/restore-root-options.ts';
import { metricsFlags } from '../options/metrics-options.ts';
import { natsFlags } from '../options/nats-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';
import { retentionFlags } from '../options/retention-options.ts';
import { gcPeriodFlag, scheduleFlags } from '../options/schedule-options.ts';
import { serviceEndpointFlags } from '../options/unneeded-flags.ts';

/** `etcd-ops snapshot`: backs up one cluster until it is stopped. Flags and defaults are those of the seed tool's README. */
export const snapshotCommand = defineCommand({
  name: 'snapshot',
  task: 'backup',
  summary: {
    en: 'back up a cluster: full snapshots on schedule, deltas between them',
    zh: '备份集群：定期全量备份，其间持续增量备份',
  },
  description: {
    en: 'Backs up one etcd cluster until stopped: full snapshots on schedule and every change between them. SIGTERM flushes the last delta.',
    zh: '持续备份一个 etcd 集群：定期全量备份，并记录其间的每一次变更。收到 SIGTERM 时写完最后一个增量备份再退出。',
  },
  flags: {
    once: boolean({
      en: 'one full, and the changes since the last backup, then end; no daemon is needed',
      zh: '只做一次全量备份（并补齐上次备份以来的增量）后退出；无需守护进程',
    }),
    allowStale: boolean({
      en: 'take a full also from a member without a quorum: the last backup of a dying cluster',
      zh: '集群失去法定人数时也从存活成员备份：垂危集群的最后一次备份',
      warning: {
        en: 'a full of a member without a quorum may lack what the cluster acknowledged',
        zh: '无法定人数的成员的备份可能缺少集群已确认的写入',
      },
    }),
    ...etcdFlags,
    ...repositoryFlags,
    ...uploadFlags,
    ...scheduleFlags,
    ...retentionFlags,
    ...gcPeriodFlag,
    ...packingFlags,
    ...identityFlags,
    stateDir: directory({
      section: 'daemon',
      defaultText: {
        en: '<bucket>/.etcd-ops/<cluster>; .etcd-ops/<bucket>/<cluster> for S3 and OSS',
        zh: '<bucket>/.etcd-ops/<cluster>；S3 和 OSS 为 .etcd-ops/<bucket>/<cluster>',
      },
      en: 'where the private NATS server keeps its data',
      zh: '内置 NATS 的数据目录',
    }),
    http: text({
      section: 'daemon',
      value: 'host:port',
      default: '127.0.0.1:0',
      en: 'where /livez, /readyz and /metrics are served',
      zh: '/livez、/readyz 和 /metrics 的监听地址',
    }),
    ...metricsFlags,
    ...restoreRootFlags,
    ...natsFlags,
    ...logFlags,
    ...outputFlags,
    progress: {
      ...progressFlags.progress,
      en: `with --once: ${progressFlags.progress.en}`,
      zh: `与 --once 同用：${progressFlags.progress.zh}`,
    },
    ...serviceEndpointFlags,
  },
  examples: [
    {
      command: 'etcd-ops snapshot',
      en: 'the etcd on this host, into ./default.bak/etcd.bak',
      zh: '备份本机 etcd 到 ./default.bak/etcd.bak',
    },
    {
      command:
        'etcd-ops snapshot --endpoints https://10.0.0.1:2379 --cacert ca.crt --cert client.crt --key client.key --bucket /var/backups/etcd --cluster-name prod',
      en: 'a cluster with TLS',
      zh: '备份启用 TLS 的集群',
    },
    {
      command:
        'etcd-ops snapshot --encryption-recipients age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      en: 'encrypted to a key of `age-keygen`: only its holder can restore',
      zh: '加密给 age-keygen 生成的密钥：只有持有私钥者才能恢复',
    },
    {
      command: 'etcd-ops snapshot --schedule "0 * * * *" --delta-snapshot-period 5s --enable-compression',
      en: 'fulls every hour, deltas every five seconds',
      zh: '每小时全量备份，每 5 秒增量备份，开启压缩',
    },
  ],
  exitCodes: [8, 9, 10, 12],
  run: async (options) => {
    const { runSnapshot } = await import('../daemon/run-snapshot.ts');
    await runSnapshot(options);
  },
});
