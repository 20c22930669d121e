import type { ErrorCode, FailureFacts } from '@etcd-ops/core';
import { at, type FailureSentences } from './sentence.ts';
import { STORE_ZH } from './store-sentences-zh.ts';

const restorable = ({ ranges }: FailureFacts): string =>
  ranges === undefined || ranges === ''
    ? '用 `etcd-ops list` 查看可恢复的范围。'
    : `可恢复的 revision：${ranges}；详见 \`etcd-ops list\`。`;

const withoutIt =
  (otherwise: string) =>
  ({ newest }: FailureFacts): string =>
    newest === undefined ? otherwise : `不使用该对象时，最新可恢复到 revision ${newest}：加上 --revision ${newest}。`;

const damagedFile = (what: string, why: string): FailureSentences => ({
  what: ({ key, path }) => `${what}${at(key, path)}`,
  why,
  remedy: withoutIt('改用另一个全量备份；`etcd-ops list` 会列出所有全量备份。'),
});

const remote = (what: string, why: string, remedy: string): FailureSentences => ({
  what: ({ endpoint }) => `${what}${at(endpoint)}`,
  why,
  remedy,
});

const DAMAGED: Pick<
  Record<ErrorCode, FailureSentences>,
  | 'BOLT_DAMAGED'
  | 'MVCC_DAMAGED'
  | 'SNAPSHOT_HASH_MISMATCH'
  | 'DELTA_DAMAGED'
  | 'MANIFEST_DAMAGED'
  | 'OBJECT_DAMAGED'
  | 'ROW_BLOCK_DAMAGED'
  | 'WAL_DAMAGED'
  | 'RAFT_SNAPSHOT_DAMAGED'
> = {
  BOLT_DAMAGED: damagedFile('数据库文件已损坏', '数据库文件违反了 bbolt 格式。'),
  MVCC_DAMAGED: damagedFile('数据库文件不是完好的 etcd 存储', 'bbolt 格式正确，但内容不是完好的 etcd 数据。'),
  SNAPSHOT_HASH_MISMATCH: damagedFile('快照的哈希不符', 'etcd 附在快照末尾的 SHA-256 与内容不一致。'),
  DELTA_DAMAGED: damagedFile('增量备份已损坏', '增量备份不符合格式，或校验和错误。'),
  MANIFEST_DAMAGED: damagedFile('清单已损坏', '清单的内容与写入时不同。'),
  OBJECT_DAMAGED: damagedFile('备份对象已损坏', '对象的大小或 SHA-256 与清单记录不一致。'),
  ROW_BLOCK_DAMAGED: damagedFile('数据块已损坏', '数据块不符合格式。'),
  WAL_DAMAGED: {
    what: ({ path }) => `预写日志（WAL）已损坏${at(path)}`,
    why: '日志不符合格式，或 CRC 错误。',
    remedy: '不要用它启动 etcd；请恢复该成员。',
  },
  RAFT_SNAPSHOT_DAMAGED: {
    what: ({ path }) => `raft 快照文件已损坏${at(path)}`,
    why: '文件不符合格式，或 CRC 错误。',
    remedy: '不要用它启动 etcd；请恢复该成员。',
  },
};

const REPOSITORY = {
  REVISION_NOT_RESTORABLE: {
    what: ({ revision, below, above, gapFirst, gapLast }) =>
      [
        revision === undefined ? '该 revision 无法恢复' : `revision ${revision} 无法恢复`,
        ...(gapFirst === undefined ? [] : [`它位于缺口中（${gapFirst} 至 ${gapLast ?? '最新'} 没有备份）`]),
        ...(below === undefined ? [] : [`之前最近可恢复的是 ${below}`]),
        ...(above === undefined ? [] : [`之后最近可恢复的是 ${above}`]),
      ].join('；'),
    why: '没有任何备份链覆盖该 revision。',
    remedy: restorable,
  },
  TIME_NOT_RESTORABLE: {
    what: ({ time }) => (time === undefined ? '该时间无法恢复' : `无法恢复到 ${time} 时的状态`),
    why: '没有已知早于该时间且可恢复的 revision。',
    remedy: restorable,
  },
  NEWEST_NOT_RESTORABLE: {
    what: ({ revision, timeline, capturedTo, laterTimeline, gapFirst, gapLast, key }) =>
      [
        revision === undefined ? '无法恢复到最新的备份' : `最新只能恢复到时间线 ${timeline} 的 revision ${revision}`,
        ...(capturedTo === undefined
          ? []
          : [`但备份已到${laterTimeline === undefined ? '' : `时间线 ${laterTimeline} 的`} ${capturedTo}`]),
        ...(gapFirst === undefined ? [] : [`${gapFirst} ${gapLast === undefined ? '起' : `至 ${gapLast} `}缺失`]),
        ...(key === undefined ? [] : [`不可用的对象${at(key)}`]),
      ].join('；'),
    why: '较新的备份无法恢复：中间的对象缺失或损坏。',
    remedy: ({ revision, timeline }) =>
      `找回缺失的对象（仓库副本，或 bucket 中的旧版本）；或明确接受较旧的状态：${revision === undefined ? '' : `--revision ${revision} --timeline ${timeline}，或 `}--allow-older。`,
  },
  NO_BACKUP: {
    what: ({ cluster, timeline, damaged, incomplete, key }) =>
      [
        `集群${cluster === undefined ? '' : ` ${cluster} `}没有完整的全量备份`,
        ...(timeline === undefined ? [] : [`时间线 ${timeline}`]),
        ...(damaged === undefined || damaged === 0 ? [] : [`已损坏 ${damaged} 个${at(key)}`]),
        ...(incomplete === undefined || incomplete === 0 ? [] : [`不完整 ${incomplete} 个${at(key)}`]),
      ].join('；'),
    why: '仓库中没有可用的全量备份。',
    remedy: ({ nearest, names, damaged, incomplete }) => {
      if (nearest !== undefined) return `是否想写 --cluster-name ${nearest}？请检查 --bucket 与 --cluster-name。`;
      if ((damaged ?? 0) !== 0 || (incomplete ?? 0) !== 0) {
        return '趁集群还在，执行 `etcd-ops snapshot --once` 重新备份，或找回这些文件的完好副本；`etcd-ops list` 会列出它们。';
      }
      const known = names === undefined || names === '' ? '' : `该目录下有：${names}。`;
      return `请检查 --bucket 与 --cluster-name；若从未备份过，请先运行 \`etcd-ops snapshot\`。${known}`;
    },
  },
  LIMIT_EXCEEDED: {
    what: ({ key, path }) => `超出大小上限${at(key, path)}`,
    why: '内容超过了保护内存的上限。',
    remedy: '若大小确实正确，请调高提示中的上限。',
  },
} satisfies Partial<Record<ErrorCode, FailureSentences>>;

const TARGET = {
  TARGET_OCCUPIED: {
    what: ({ path }) => `目标目录不可用，其中已有数据${at(path)}`,
    why: '目标目录已有内容；etcd-ops 绝不覆盖数据。',
    remedy: '请换一个目录，或先把旧目录移走。',
  },
  TARGET_REFUSED: {
    what: ({ path }) => `不允许恢复到该目录${at(path)}`,
    why: '目标不在允许写入的范围内，或集群的其他成员仍在运行。',
    remedy:
      '请使用已配置的恢复目录之下的路径；若集群仍在运行，请用 `etcdctl member remove` 与 `member add` 替换该成员。',
  },
  DATA_DIR_FOREIGN: {
    what: ({ path }) => `该目录不是本集群的数据${at(path)}`,
    why: '目录中的集群 id 与备份不符，或根本不是 etcd 数据目录。',
    remedy: '请检查 --data-dir、--bucket 与 --cluster-name；未改动任何内容。',
  },
  DATA_DIR_IN_USE: {
    what: ({ path }) => `数据目录正在被 etcd 使用${at(path)}`,
    why: '有 etcd 正在该数据目录上运行。',
    remedy: '请先停止该 etcd；未改动任何内容。',
  },
  DATA_DIR_BROKEN: {
    what: ({ path }) => `数据目录已损坏${at(path)}`,
    why: 'etcd 无法从该目录启动，或启动后会丢失数据。',
    remedy: '请恢复：`etcd-ops ensure --yes` 会先把它移到一旁。',
  },
} satisfies Partial<Record<ErrorCode, FailureSentences>>;

const ETCD = {
  ETCD_UNREACHABLE: remote('无法连接 etcd', '没有建立到 etcd 的连接。', '请检查 endpoints、网络以及 etcd 是否在运行。'),
  ETCD_TLS: {
    what: ({ endpoint, path }) =>
      endpoint === undefined ? `TLS 文件不可用${at(path)}` : `与 etcd 的 TLS 握手失败${at(endpoint)}`,
    why: '证书、CA、私钥或协议（http/https）不匹配。',
    remedy: '请检查 --cacert、--cert、--key、endpoint 的协议，以及证书中的主机名。',
  },
  ETCD_AUTH: {
    what: ({ user, endpoint }) =>
      user === undefined ? `etcd 要求登录${at(endpoint)}` : `etcd 拒绝了用户 ${user}${at(endpoint)}`,
    why: '用户名、密码不正确，或权限不足。',
    remedy: '全量备份需要 root 角色；捕获变更需要整个键空间的读权限。',
  },
  ETCD_COMPACTED: remote(
    '所需的 revision 已被 etcd 压缩',
    'etcd 已压缩该 revision。',
    '新的全量备份将成为基础，无需手动处理。',
  ),
  ETCD_NO_LEADER: remote('集群没有 leader', '集群失去了法定人数（quorum）。', '请恢复法定人数；之后会自动继续。'),
  ETCD_WRONG_CLUSTER: remote(
    'endpoints 不属于同一个集群',
    '至少一个 endpoint 属于另一个集群。',
    '请只列出同一个集群的 endpoints。',
  ),
  ETCD_TIMEOUT: remote('etcd 未及时响应', 'etcd 在时限内没有回答。', '请检查 etcd 的负载与所设的超时。'),
  ETCD_FAILED: remote('etcd 返回错误', 'etcd 以错误作答。', '请查看 etcd 的错误信息。'),
  SNAPSHOT_INCOMPLETE: remote('快照数据流不完整', '快照数据流在末尾哈希之前中断。', '会自动重试；没有保存任何内容。'),
  DEFRAG_REFUSED: remote(
    '现在不能做碎片整理',
    '集群的状态不允许让一个成员暂停。',
    '请先让所有成员恢复健康；原因见详情。',
  ),
  CLUSTER_FORKED: remote(
    '集群与已捕获的历史不一致',
    '集群没有从已捕获的数据继续。',
    '会自动开始新的时间线；之前的时间线仍可恢复。',
  ),
} satisfies Partial<Record<ErrorCode, FailureSentences>>;

const HOUSE = {
  USAGE: { what: '用法错误', why: '命令行或配置有误。', remedy: '请更正所指的参数；--help 列出全部参数。' },
  CONFIG_INVALID: { what: '配置无效', why: '某个配置值缺失、未知或超出范围。', remedy: '请更正所指的设置。' },
  BACKUP_STALE: {
    what: '备份或其证明过旧',
    why: '最新的备份或证明早于允许的时长。',
    remedy: '请查看 `etcd-ops status`；若未运行，请启动 `etcd-ops snapshot`。',
  },
  NOTHING_TO_DO: { what: '无事可做', why: '没有需要做的工作。', remedy: '无需任何操作。' },
  CLUSTER_SPEC_CHANGED: {
    what: '集群配置已被他人修改',
    why: '在此期间另有人修改了该集群的配置。',
    remedy: '请用 `etcd-ops cluster show` 查看后重新编辑。',
  },
  REQUEST_EXPIRED: {
    what: () => '请求已过期',
    why: '在截止时间之前没有任何进程开始执行该请求。',
    remedy: '请启动该 pool 的 restorer（ETCD_OPS_RESTORE_POOL），然后重新请求。',
  },
  BUS_UNREACHABLE: {
    what: ({ path }) => (path === undefined ? '无法连接 NATS' : `该状态目录上没有运行守护进程${at(path)}`),
    why: '没有连上守护进程的 NATS。',
    remedy: ({ path }) =>
      path === undefined
        ? '请检查地址、凭证以及 nats-server 是否在运行。'
        : '请启动 `etcd-ops snapshot`，或用 --state-dir 指定它的状态目录。',
  },
  BUS_FENCED: {
    what: '另一个写入者写了该集群的事件流',
    why: '事件流同时有两个写入者。',
    remedy: '会自动重新打开；若反复出现，请检查是否只配置了一个写入者。',
  },
  BUS_MESSAGE_INVALID: {
    what: '收到的消息不符合格式',
    why: '消息与其定义不符。',
    remedy: '请检查所有服务的版本是否兼容。',
  },
  BUS_VERSION_UNKNOWN: {
    what: 'NATS 中的内容由更新版本的 etcd-ops 写入',
    why: '更新版本的 etcd-ops 写入了本版本不认识的内容。',
    remedy: '请把该服务或命令也升级；在此之前它不会动这些内容，其他工作照常进行。',
  },
  BUS_FAILED: { what: 'JetStream 出错', why: 'JetStream 拒绝了请求或发生故障。', remedy: '请查看服务器的信息。' },
  PROOF_FAILED: {
    what: '校验失败：应当一致的内容不一致',
    why: '两份应当相等的内容不相等。',
    remedy: '不要依赖所指的对象；请重新做全量备份并检查集群。',
  },
  IDENTITY_MISSING: {
    what: ({ key }) => `没有可解密的密钥${at(key)}`,
    why: '备份已加密，而所给的密钥都打不开它。',
    remedy: '请提供加密时对应的密钥（identity）文件。',
  },
  BINARY_MISSING: {
    what: ({ program }) => `缺少所需的程序${at(program)}`,
    why: '找不到该程序。',
    remedy: ({ program }) =>
      program === 'nats-server'
        ? '请安装 nats-server 2.9 或更新版本，用 ETCD_OPS_NATS_SERVER 指定其路径，或用 --nats 连接已有的服务器。'
        : '请安装它，或把它放到 PATH 中。',
  },
  STATE_DIR_LOCKED: {
    what: ({ path }) => `状态目录正被另一个守护进程使用${at(path)}`,
    why: '同一状态目录上已有守护进程。',
    remedy: '请停止它，或用 --state-dir 指定另一个目录。',
  },
  DISK_FAILED: {
    what: ({ path }) => `本地磁盘操作失败${at(path)}`,
    why: '本地磁盘拒绝了操作或发生故障。',
    remedy: '请检查剩余空间、权限以及磁盘是否正常。',
  },
  CANCELLED: { what: '操作已取消', why: '操作被取消。', remedy: '若非本意，请重新运行。' },
} satisfies Partial<Record<ErrorCode, FailureSentences>>;

/** Chinese for every code; who adds a code adds its sentences. */
export const FAILURES_ZH: Readonly<Record<ErrorCode, FailureSentences>> = {
  ...DAMAGED,
  ...REPOSITORY,
  ...STORE_ZH,
  ...TARGET,
  ...ETCD,
  ...HOUSE,
};
