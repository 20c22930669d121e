import type { OptionsOf } from './define-command.ts';
import { boolean, bytes, choice, count, directory, file, text } from './flag.ts';

/** Where backups live: the same flags on every command that reads or writes them, with the seed tool's names and defaults. */
export const repositoryFlags = {
  storageProvider: choice(['Local', 'S3', 'OSS'], {
    section: 'repository',
    default: 'Local',
    en: 'what kind of store holds them',
    zh: '对象存储提供商',
  }),
  bucket: directory({
    section: 'repository',
    aliases: ['store-container'],
    default: 'default.bak',
    en: 'the bucket, or the folder (Local), that holds the repositories',
    zh: '对象存储 bucket 或主机目录（Local）',
  }),
  clusterName: text({
    section: 'repository',
    value: 'name',
    aliases: ['prefix', 'store-prefix'],
    default: 'etcd.bak',
    en: 'the repository of this cluster, a folder below the bucket',
    zh: 'bucket 下该集群的备份目录',
  }),
  storeFolder: text({
    section: 'store',
    value: 'path',
    en: 'a folder of the bucket that all repositories lie below',
    zh: 'bucket 内所有备份目录的上级目录',
  }),
  storeEndpoint: text({
    section: 'store',
    value: 'url',
    aliases: ['store-endpoint-override'],
    defaultText: { en: "the provider's own, or the credentials' file", zh: '提供商的默认地址，或凭证文件中的地址' },
    en: 'address of the object storage: host:port or http(s)://host:port',
    zh: '对象存储地址：host:port 或 http(s)://host:port',
  }),
  storeRegion: text({ section: 'store', value: 'name', en: 'region of the bucket', zh: 'bucket 所在区域' }),
  storeAddressing: choice(['auto', 'path', 'host', 'cname'], {
    section: 'store',
    default: 'auto',
    en: 'the bucket as the first part of the path or of the host name, or (OSS) a domain bound to it; auto takes the path for addresses, and S3 for dotted names',
    zh: 'bucket 位于路径或主机名中，或（OSS）使用绑定的自定义域名；auto 对 IP 地址（S3 还包括带点的名称）使用路径',
  }),
  storeCacert: file({
    section: 'store',
    en: 'CA certificates of the object storage, beside those of the system',
    zh: '对象存储的 CA 证书（附加于系统证书）',
  }),
  storeInsecureSkipVerify: boolean({
    section: 'store',
    en: 'do not verify the certificate of the object storage',
    zh: '跳过对象存储证书验证',
    warning: {
      en: 'the certificate of the object storage is not verified: whoever sits between reads and changes backups',
      zh: '未验证对象存储的证书：中间人可读取并篡改备份',
    },
  }),
  storeCredentialsDir: directory({
    section: 'store',
    conflicts: ['store-credentials-file', 'store-profile'],
    defaultText: {
      en: 'AWS_APPLICATION_CREDENTIALS or ALICLOUD_APPLICATION_CREDENTIALS, else as the SDK finds them',
      zh: 'AWS_APPLICATION_CREDENTIALS 或 ALICLOUD_APPLICATION_CREDENTIALS，否则由 SDK 查找',
    },
    en: 'a folder with one file for each value: accessKeyID, secretAccessKey (OSS: accessKeySecret), ...',
    zh: '凭证目录，每个值一个文件：accessKeyID、secretAccessKey（OSS：accessKeySecret）等',
  }),
  storeCredentialsFile: file({
    section: 'store',
    conflicts: ['store-profile'],
    en: 'the same as one file of JSON',
    zh: 'JSON 格式的凭证文件',
  }),
  storeProfile: text({
    section: 'store',
    value: 'name',
    en: "a profile of the SDK's own configuration",
    zh: 'SDK 配置中的 profile',
  }),
  storeChecksums: choice(['auto', 'crc32', 'md5', 'none'], {
    section: 'store',
    default: 'auto',
    en: 'S3: what goes with uploads beside the signature; auto is crc32 for Amazon and what every server takes elsewhere',
    zh: 'S3：上传时附带的校验和；auto 对 Amazon 使用 crc32，其他服务使用通用方式',
  }),
};

export type RepositoryOptions = OptionsOf<typeof repositoryFlags>;

/** How objects are uploaded: on the commands that write. */
export const uploadFlags = {
  minChunkSize: bytes({
    section: 'store',
    default: 5 * 1024 * 1024,
    en: 'the smallest part of a large object, at least 5 MiB; smaller objects go in one piece',
    zh: '大对象分块上传的最小块，至少 5 MiB',
  }),
  maxParallelChunkUploads: count({
    section: 'store',
    default: 5,
    en: 'parts of one object uploaded at once; memory is this times the size of a part',
    zh: '单个对象并行上传的最大块数',
  }),
  uploadBandwidth: bytes({
    section: 'store',
    en: 'bytes per second that uploads may take together',
    zh: '上传总带宽上限（字节/秒）',
  }),
  storeSse: choice(['AES256', 'KMS'], {
    section: 'store',
    en: 'encryption at rest by the store: its own keys, or its key service',
    zh: '服务端加密：存储自有密钥或 KMS',
  }),
  storeSseKmsKeyId: text({
    section: 'store',
    value: 'id',
    defaultText: { en: "the bucket's default key", zh: 'bucket 的默认密钥' },
    en: 'the key of --store-sse KMS',
    zh: '--store-sse KMS 使用的密钥',
  }),
};

export type UploadOptions = OptionsOf<typeof uploadFlags>;
