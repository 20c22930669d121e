import type { ErrorCode } from '@etcd-ops/core';
import { at, type FailureSentences } from './sentence.ts';

/** Failures of the store. */
export const STORE_ZH = {
  STORE_NOT_FOUND: {
    what: ({ key }) => `对象不存在${at(key)}`,
    why: '存储中没有该对象。',
    remedy: '请检查 --bucket 与 --cluster-name；`etcd-ops list` 会列出已有的备份。',
  },
  STORE_EXISTS: {
    what: ({ key }) => `同名但内容不同的对象已存在${at(key)}`,
    why: '另有程序在写同一个仓库。',
    remedy: '请为每个集群使用各自的名称。',
  },
  STORE_FAILED: {
    what: ({ key }) => `存储操作失败${at(key)}`,
    why: '存储拒绝了请求或发生故障。',
    remedy: '请检查存储是否可达、有权限且未满。',
  },
  STORE_REFUSED: {
    what: ({ key }) => `存储不接受该请求${at(key)}`,
    why: '存储不接受这样的请求，重试也不会接受。',
    remedy: '请看存储的回答；docs/OPERATIONS.md 的存储一节列出了各服务的差别。',
  },
  STORE_NO_BUCKET: {
    what: 'bucket 不存在',
    why: 'bucket 不存在，或位于其他地域或 endpoint。',
    remedy: '请检查 --bucket、--store-region 与 --store-endpoint；etcd-ops 不会创建 bucket。',
  },
  STORE_DENIED: {
    what: ({ key }) => `没有存储权限${at(key)}`,
    why: '存储认得该凭证，但不允许这样做。',
    remedy: '请授予 docs/OPERATIONS.md 所列的权限；对象锁（object lock）会拒绝任何人的删除。',
  },
  STORE_CREDENTIALS: {
    what: '存储凭证不可用',
    why: '没有凭证，或凭证错误、已吊销、已过期。',
    remedy: '请检查凭证目录、文件或 profile；文件更新后无需重启。',
  },
  STORE_TLS: {
    what: '与存储的 TLS 握手失败',
    why: '存储的证书不受信任，或握手失败。',
    remedy: '请用 --store-cacert 指定其 CA，并使用证书中所含的主机名。',
  },
  STORE_CLOCK_SKEW: {
    what: '本机与存储的时钟相差过大',
    why: '时钟相差过大，签名请求被拒绝。',
    remedy: '请校准本机时钟（NTP）。',
  },
  STORE_UNREACHABLE: {
    what: '无法连接存储',
    why: '没有建立到存储的连接，或连接中断。',
    remedy: '请检查 --store-endpoint、网络、代理以及存储是否在运行。',
  },
  STORE_BUSY: {
    what: '存储繁忙',
    why: '存储要求减少请求，或暂时不可用。',
    remedy: '会自动重试；若反复出现，请降低 --upload-bandwidth 或减少每个 bucket 的集群数。',
  },
  STORE_UNSAFE: {
    what: '存储不适合保存备份',
    why: '存储或其设置可能自行丢失或改变备份。',
    remedy: '请修改所指出的设置，或更换存储。',
  },
  STORE_KEY_INVALID: {
    what: ({ key }) => `对象名不被允许${at(key)}`,
    why: '对象名含有不允许的字符或过长。',
    remedy: '只使用字母、数字、点、横线、下划线和 =。',
  },
} satisfies Partial<Record<ErrorCode, FailureSentences>>;
