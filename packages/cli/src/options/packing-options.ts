import type { Identities, Packing, RecipientsSpec } from '@etcd-ops/core';
import { resolve } from 'node:path';
import type { OptionsOf } from './define-command.ts';
import { boolean, choice, count, file, list } from './flag.ts';

/** How what is stored is compressed and to whom it is encrypted: the same flags on every command that stores. */
export const packingFlags = {
  enableCompression: boolean({
    section: 'compression',
    aliases: ['compress-snapshots'],
    en: 'compress snapshots, full and delta',
    zh: '是否开启备份压缩（全量与增量）',
  }),
  compressionPolicy: choice(['gzip', 'zlib', 'zstd', 'none'], {
    section: 'compression',
    value: 'codec',
    default: 'gzip',
    en: 'how they are compressed',
    zh: '压缩策略',
  }),
  compressionLevel: count({
    section: 'compression',
    value: 'level',
    defaultText: { en: '1', zh: '1' },
    en: 'how hard: 1 to 9 for gzip and zlib, 1 to 19 for zstd',
    zh: '压缩级别：gzip、zlib 为 1 到 9，zstd 为 1 到 19',
  }),
  encryptionRecipients: list({
    section: 'encryption',
    value: 'recipients',
    en: 'encrypt to these age recipients (public keys age1...); only their identities open what is stored',
    zh: '加密给这些 age 接收者（公钥 age1...）；只有对应的私钥才能解密',
  }),
  encryptionRecipientsFile: file({
    section: 'encryption',
    en: 'a file of recipients, one a line; read at each backup, so a rotation needs no restart',
    zh: '接收者文件，每行一个；每次备份时重新读取，轮换密钥无需重启',
  }),
};

/** What opens encrypted backups: on every command that reads them. */
export const identityFlags = {
  identityFile: list({
    section: 'encryption',
    value: 'files',
    completes: 'file',
    en: 'age identities (private keys) that open encrypted backups; keys of earlier times may be among them',
    zh: '用于解密备份的 age 私钥文件；可同时给出旧密钥',
  }),
};

export type PackingOptions = OptionsOf<typeof packingFlags>;
export type IdentityOptions = OptionsOf<typeof identityFlags>;

/** @throws EtcdOpsError CONFIG_INVALID naming the file and line that is wrong. */
export async function identitiesOf({ identityFile = [] }: IdentityOptions): Promise<Identities | undefined> {
  if (identityFile.length === 0) return undefined;
  // Loaded only here: the flags above are read for help, too.
  const core = await import('@etcd-ops/core');
  return await core.Identities.fromFiles(identityFile);
}

/** Undefined: nothing is encrypted. */
export function recipientsSpecOf(
  options: Pick<PackingOptions, 'encryptionRecipients' | 'encryptionRecipientsFile'>,
): { recipients?: string[]; recipientsFile?: string } | undefined {
  const { encryptionRecipients: recipients, encryptionRecipientsFile: path } = options;
  if (recipients === undefined && path === undefined) return undefined;
  return {
    ...(recipients === undefined ? {} : { recipients }),
    ...(path === undefined ? {} : { recipientsFile: resolve(path) }),
  };
}

/** @throws EtcdOpsError CONFIG_INVALID when a recipient is wrong, or the codec does not know the level. */
export async function packingOf(options: PackingOptions): Promise<Packing> {
  const spec: RecipientsSpec | undefined = recipientsSpecOf(options);
  const core = await import('@etcd-ops/core');
  const codec = options.enableCompression ? options.compressionPolicy : 'none';
  const { compressionLevel = core.LEVEL_DEFAULT } = options;
  if (codec !== 'none' && (compressionLevel < 1 || compressionLevel > core.LEVEL_MAX[codec])) {
    throw new core.EtcdOpsError('CONFIG_INVALID', {
      message: `--compression-level: ${codec} has the levels 1 to ${core.LEVEL_MAX[codec]}, and no ${compressionLevel}`,
      remedy: 'Give a level that the codec has.',
    });
  }
  return { codec, compressionLevel, recipients: spec === undefined ? undefined : await core.readRecipients(spec) };
}
