import { boolean, choice, file } from './flag.ts';

/** Of every command that prints data. */
export const outputFlags = {
  output: choice(['table', 'json'], {
    short: 'o',
    aliases: ['write-out'],
    section: 'general',
    default: 'table',
    en: 'how data is printed; the fields of json are described in docs/COMMANDS.md',
    zh: '数据输出格式；json 字段见 docs/COMMANDS.md',
  }),
};

/** Of every command that moves many bytes. `ProgressLine` takes the value. */
export const progressFlags = {
  progress: choice(['auto', 'plain', 'json', 'none'], {
    section: 'general',
    default: 'auto',
    en: 'how progress is told on standard error; auto is one moving line on a terminal and plain lines elsewhere',
    zh: '标准错误上的进度格式；auto：终端上为单行刷新，其他情况为逐行输出',
  }),
};

/** Of every command that destroys or replaces something; ask with `confirm` of output/confirm.ts. */
export const yesFlags = {
  yes: boolean({
    short: 'y',
    section: 'general',
    en: 'do not ask before a destructive step',
    zh: '破坏性步骤不再询问',
    notInFile: true,
  }),
};

/** Added to every command that has no `config` of its own. */
export const configFlag = file({
  section: 'general',
  en: 'settings from this YAML file; keys are the names of the flags',
  zh: '从该 YAML 文件读取设置；键名与参数同名',
  notInFile: true,
});

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export const logFlags = {
  logLevel: choice(LOG_LEVELS, { section: 'general', default: 'info', en: 'how much is logged', zh: '日志级别' }),
};
