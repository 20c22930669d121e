import { defineCommand } from '../options/define-command.ts';
import { boolean, duration } from '../options/flag.ts';
import { etcdFlags } from '../options/etcd-options.ts';
import { outputFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops check`: is everything in place, and are there backups young enough? */
export const checkCommand = defineCommand({
  name: 'check',
  task: 'look',
  summary: {
    en: 'check etcd, the store and the age of backups, for monitoring',
    zh: '检查 etcd、存储与备份的新旧，可用于监控',
  },
  description: {
    en: 'Asks each endpoint of etcd (version, alarms, quorum, members, lag, rights, clock), tries the store (list, write, read, conditional put, delete; versioning, object lock, lifecycle rules, clock, free space), and looks at the backups (age, gaps, whether they are of this cluster, whether the key at hand opens them, the newest proof). One line for each: OK, SKIP (could not be looked at), WARN or FAIL, what, why, what to do. Works with and without a daemon, and changes nothing but a probe object of 64 bytes that it takes away again. Exit codes: 0 when nothing failed; else that of the first FAIL: 8 etcd, 9 store, 6 no backup that is young enough, 11 a failed proof or backups of another cluster, 13 the key, 12 disk space, 4 damaged objects. With --strict, warnings fail, too.',
    zh: '询问 etcd 的每个 endpoint（版本、告警、quorum、成员、落后、权限、时钟），尝试存储（列表、写、读、条件写入、删除；版本控制、对象锁、生命周期规则、时钟、剩余空间），并查看备份（新旧、缺口、是否属于该集群、手头的密钥能否解密、最近的证明）。每项一行，标为 OK、SKIP（无法查看）、WARN 或 FAIL，并给出对象、原因和措施。有无守护进程均可运行；除一个随即删除的 64 字节探测对象外不做任何改动。退出码：没有 FAIL 时为 0；否则为第一个 FAIL 的退出码：8 etcd，9 存储，6 没有足够新的备份，11 证明失败或备份属于其他集群，13 密钥，12 磁盘空间，4 对象损坏。使用 --strict 时，警告也视为失败。',
  },
  flags: {
    maxAge: duration({
      en: 'fail when the newest full is older',
      zh: '最新的全量备份早于该时长时失败',
    }),
    maxDeltaAge: duration({
      en: 'fail when the newest change in the backups is older and etcd, if it can be asked, has gone on since',
      zh: '备份中最新的变更早于该时长、且 etcd（若可询问）此后又有变更时失败',
    }),
    maxProofAge: duration({
      en: 'fail when no chain was proven within this time',
      zh: '该时长内没有任何链被证明可恢复时失败',
    }),
    etcd: boolean({ default: true, en: 'ask etcd; --no-etcd leaves it alone', zh: '询问 etcd；--no-etcd 则不询问' }),
    probe: boolean({
      default: true,
      en: 'write an object of 64 bytes and take it away again; --no-probe where the store may only be read',
      zh: '写入一个 64 字节的对象并随即删除；存储只读时使用 --no-probe',
    }),
    strict: boolean({ en: 'warnings fail, too', zh: '警告也视为失败' }),
    ...identityFlags,
    ...repositoryFlags,
    ...etcdFlags,
    ...outputFlags,
  },
  examples: [
    {
      command:
        'etcd-ops check --endpoints https://10.0.0.1:2379 --cacert ca.crt --bucket /var/backups/etcd --cluster-name prod',
      en: 'is everything in place?',
      zh: '一切是否就绪？',
    },
    {
      command:
        'etcd-ops check --no-etcd --max-age 1h --max-delta-age 5m --bucket /var/backups/etcd --cluster-name prod',
      en: 'from monitoring, at the store alone: are the backups young enough?',
      zh: '用于监控，只看存储：备份是否足够新？',
    },
  ],
  exitCodes: [4, 5, 6, 8, 9, 11, 12, 13],
  run: async (options) => {
    const { runCheck } = await import('../check/run-check.ts');
    await runCheck(options);
  },
});
