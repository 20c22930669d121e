import type { OptionsOf } from './define-command.ts';
import { boolean, duration, file, list, text } from './flag.ts';

/** How a living etcd is reached: the same flags on every command that talks to one. */
export const etcdFlags = {
  endpoints: list({
    section: 'etcd',
    short: 'e',
    value: 'urls',
    defaultText: { en: '127.0.0.1:2379', zh: '127.0.0.1:2379' },
    en: 'endpoints of one cluster; without a scheme https if certificates are given, else http',
    zh: 'etcd endpoints；未写协议时，提供了证书则用 https，否则用 http',
  }),
  cacert: file({
    section: 'etcd',
    aliases: ['ca-cert', 'ca-cert-file', 'trusted-ca-file'],
    en: 'CA of the servers (PEM)',
    zh: 'etcd CA 证书（PEM）',
  }),
  cert: file({ section: 'etcd', aliases: ['cert-file'], en: 'client certificate (PEM)', zh: '客户端证书（PEM）' }),
  key: file({
    section: 'etcd',
    aliases: ['key-file'],
    en: 'key of the client certificate (PEM)',
    zh: '客户端证书的私钥（PEM）',
  }),
  insecureSkipTlsVerify: boolean({
    section: 'etcd',
    en: 'do not verify the certificates of the servers',
    zh: '跳过服务器证书验证',
    warning: {
      en: 'certificates are not verified: anybody on the way can read and change the backup',
      zh: '未验证证书：中间人可以读取并篡改备份',
    },
  }),
  insecureTransport: boolean({
    section: 'etcd',
    default: true,
    en: "whether plain text is allowed where neither scheme nor certificates say otherwise; false: an endpoint without a scheme is https, verified by the system's CAs unless --cacert is given, and http:// is refused",
    zh: '未写协议且未提供证书时是否允许明文；false：未写协议的 endpoint 一律用 https（未给 --cacert 时用系统 CA 验证），http:// 会被拒绝',
  }),
  etcdUsername: text({
    section: 'etcd',
    value: 'name',
    aliases: ['user'],
    secret: 'behind-colon',
    en: 'etcd user, or user:password; without a password it is asked for on a terminal; full snapshots need the role root',
    zh: 'etcd 用户名，或 用户名:密码；未给密码时在终端上询问；全量备份需要 root 角色',
  }),
  etcdPasswordFile: file({ section: 'etcd', en: 'file that holds the password', zh: '保存 etcd 密码的文件' }),
  etcdPassword: text({
    section: 'etcd',
    value: 'password',
    aliases: ['password'],
    secret: 'whole',
    en: 'the password itself; it is taken out of the process list once it is read: ETCD_OPS_ETCD_PASSWORD or --etcd-password-file never put it there',
    zh: 'etcd 密码；读取后即从进程列表中抹去，但此前可被看到；建议改用 ETCD_OPS_ETCD_PASSWORD 或 --etcd-password-file',
    notInFile: true,
  }),
  maintenanceUsername: text({
    section: 'etcd',
    value: 'name',
    en: 'another etcd user, with the role root, for full snapshots and defragmentation; --etcd-username then needs to read only',
    zh: '另一个具有 root 角色的 etcd 用户，用于全量备份与碎片整理；此时 --etcd-username 只需读权限',
  }),
  maintenancePasswordFile: file({
    section: 'etcd',
    en: 'file that holds the password of --maintenance-username',
    zh: '保存 --maintenance-username 密码的文件',
  }),
  etcdConnectionTimeout: duration({
    section: 'etcd',
    aliases: ['dial-timeout'],
    default: '30s',
    en: 'limit of one connection attempt',
    zh: 'etcd 连接超时时间',
  }),
  etcdSnapshotTimeout: duration({
    section: 'etcd',
    default: '15m',
    en: 'limit of one full snapshot',
    zh: 'etcd 全量备份超时时间',
  }),
  etcdDefragTimeout: duration({
    section: 'etcd',
    default: '8m',
    en: 'limit of the defragmentation of one member',
    zh: 'etcd 碎片整理超时时间',
  }),
};

export type EtcdOptions = OptionsOf<typeof etcdFlags>;
