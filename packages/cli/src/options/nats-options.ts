import { file, list, text } from './flag.ts';

/** An existing NATS instead of a private one. */
export const natsFlags = {
  nats: list({
    section: 'daemon',
    value: 'urls',
    defaultText: { en: 'a private server, started and ended with this command', zh: '随本命令启停的内置 NATS' },
    en: 'use this NATS, as nats://host:4222',
    zh: '使用已有的 NATS，如 nats://host:4222',
  }),
  natsTokenFile: file({ section: 'daemon', en: 'file that holds the token for NATS', zh: '保存 NATS token 的文件' }),
  natsUser: text({ section: 'daemon', en: 'user of NATS', zh: 'NATS 用户名' }),
  natsPasswordFile: file({ section: 'daemon', en: 'file that holds his password', zh: '保存该用户密码的文件' }),
  natsNkey: file({
    section: 'daemon',
    en: 'file that holds the seed of an nkey for NATS',
    zh: '保存 NATS nkey 种子的文件',
  }),
  natsCreds: file({ section: 'daemon', en: 'credentials file for NATS (.creds)', zh: 'NATS 凭证文件（.creds）' }),
  natsCacert: file({ section: 'daemon', en: 'CA of NATS (PEM)', zh: 'NATS 的 CA 证书（PEM）' }),
  natsCert: file({ section: 'daemon', en: 'client certificate for NATS (PEM)', zh: '连接 NATS 的客户端证书（PEM）' }),
  natsKey: file({ section: 'daemon', en: 'key of that certificate (PEM)', zh: '该证书的私钥（PEM）' }),
};

/** Who asks in the account of people's requests, where NATS has two accounts. */
export const natsOpsFlags = {
  natsOpsUser: text({ section: 'daemon', en: 'user of NATS in the account OPS', zh: 'OPS 账户中的 NATS 用户名' }),
  natsOpsPasswordFile: file({ section: 'daemon', en: 'file that holds his password', zh: '保存该用户密码的文件' }),
  natsOpsNkey: file({
    section: 'daemon',
    en: 'file that holds the seed of an nkey for the account OPS',
    zh: '保存 OPS 账户 nkey 种子的文件',
  }),
  natsOpsCreds: file({
    section: 'daemon',
    en: 'credentials file for the account OPS (.creds)',
    zh: 'OPS 账户凭证文件（.creds）',
  }),
};
