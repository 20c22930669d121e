import { list } from './flag.ts';

/** Where restores asked over NATS may write: the same flag on every command that runs a restorer. */
export const restoreRootFlags = {
  restoreRoot: list({
    section: 'daemon',
    value: 'paths',
    en: 'folders below which restores asked over NATS may write',
    zh: '通过 NATS 请求的恢复只能写入这些目录之下',
  }),
};
