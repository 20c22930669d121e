import type { Said } from '../help/language.ts';
import { unneeded } from './flag.ts';

const NO_EMBEDDED_ETCD: Said = {
  en: 'changes are written into the database file itself, no etcd is started for it',
  zh: '增量直接写入数据库文件，不启动嵌入式 etcd',
};
const NO_CHUNKS: Said = { en: 'restore uploads nothing', zh: '恢复不上传任何内容' };

/** Flags of the tools that replay deltas through an etcd of their own. */
export const embeddedEtcdFlags = {
  autoCompactionMode: unneeded(NO_EMBEDDED_ETCD),
  autoCompactionRetention: unneeded(NO_EMBEDDED_ETCD),
  embeddedEtcdQuotaBytes: unneeded(NO_EMBEDDED_ETCD),
  maxTxnOps: unneeded(NO_EMBEDDED_ETCD),
  maxCallSendMessageSize: unneeded(NO_EMBEDDED_ETCD),
  maxRequestBytes: unneeded(NO_EMBEDDED_ETCD),
  etcdConnectionTimeout: unneeded(NO_EMBEDDED_ETCD),
  etcdSnapshotTimeout: unneeded(NO_EMBEDDED_ETCD),
  etcdDefragTimeout: unneeded(NO_EMBEDDED_ETCD),
  restoreTempSnapshotsDir: unneeded({
    aliases: ['restoration-temp-snapshots-dir'],
    en: 'deltas are read from the store as they are written, nothing is kept in between',
    zh: '增量边读边写，无需临时目录',
  }),
};

export const chunkFlags = {
  maxParallelChunkUploads: unneeded(NO_CHUNKS),
  minChunkSize: unneeded(NO_CHUNKS),
};

export const serviceEndpointFlags = {
  serviceEndpoints: unneeded({ en: 'all calls go to --endpoints', zh: '所有请求都使用 --endpoints' }),
};
