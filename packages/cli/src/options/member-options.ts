import type { OptionsOf } from './define-command.ts';
import { choice, directory, list, text } from './flag.ts';

/** What a restored member is called and where it goes: etcdctl's flags, with the seed tool's defaults. */
export const memberFlags = {
  dataDir: directory({
    section: 'member',
    defaultText: { en: '<name>.etcd', zh: '<name>.etcd' },
    en: 'the data directory to make; it must not hold data',
    zh: '恢复后的 etcd 数据目录，其中不得已有数据',
  }),
  walDir: directory({
    section: 'member',
    en: 'the directory of the write-ahead log, when it is elsewhere',
    zh: 'WAL 目录（与数据目录分开时）',
  }),
  name: text({ section: 'member', value: 'member', default: 'default', en: 'name of this member', zh: '成员名称' }),
  initialCluster: text({
    section: 'member',
    value: 'members',
    default: 'default=http://localhost:2380',
    en: 'all members: name=peer-url,...',
    zh: '全部成员：name=peer-url,...',
  }),
  initialClusterToken: text({
    section: 'member',
    value: 'token',
    default: 'etcd-cluster',
    en: 'token of the new cluster',
    zh: '新集群的 token',
  }),
  initialAdvertisePeerUrls: list({
    section: 'member',
    value: 'urls',
    defaultText: { en: 'those of --name in --initial-cluster', zh: '--initial-cluster 中 --name 对应的地址' },
    en: 'peer URLs of this member',
    zh: '该成员的 peer URL',
  }),
  target: choice(['3.4', '3.5', '3.6', '3.7'], {
    section: 'member',
    value: 'version',
    defaultText: { en: "the cluster's own", zh: '原集群的版本' },
    en: 'etcd version that will boot it',
    zh: '将要启动它的 etcd 版本',
  }),
};

export const ownerFlags = {
  owner: text({
    section: 'member',
    value: 'user:group',
    en: 'give what is restored to this user and group, by name or number; needs root',
    zh: '把恢复出的目录交给该用户和组（名称或编号）；需要 root',
  }),
};

export type MemberOptions = OptionsOf<typeof memberFlags & typeof ownerFlags>;
