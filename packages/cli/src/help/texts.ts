/** The fixed words of the help pages. */
export const TEXTS = {
  tagline: { en: 'continuous backup, exact restore and daily care of etcd', zh: 'etcd 的持续备份、精确恢复与日常维护' },
  usage: { en: 'Usage', zh: '用法' },
  command: { en: '<command>', zh: '<子命令>' },
  flags: { en: '[flags]', zh: '[参数]' },
  examples: { en: 'Examples', zh: '示例' },
  argument: { en: 'Argument', zh: '位置参数' },
  default: { en: 'default', zh: '默认' },
  also: { en: 'also', zh: '同义' },
  repeatable: { en: 'comma separated, repeatable', zh: '逗号分隔，可重复' },
  notNeeded: { en: 'Accepted from other tools, and not needed', zh: '兼容其他工具，无需设置' },
  exitCodes: { en: 'Exit codes', zh: '退出码' },
  settings: { en: 'Settings', zh: '设置' },
  precedence: {
    en: 'A flag wins over its variable (--data-dir: ETCD_OPS_DATA_DIR), the variable over the file of --config or ETCD_OPS_CONFIG (data-dir: ...), the file over the default. Switches take --flag, --flag=false, --flag false and --no-flag.',
    zh: '优先级：命令行参数 > 环境变量（--data-dir 对应 ETCD_OPS_DATA_DIR）> --config 或 ETCD_OPS_CONFIG 指定的文件（data-dir: ...）> 默认值。开关参数可写 --flag、--flag=false、--flag false 或 --no-flag。',
  },
  more: {
    en: '`etcd-ops <command> --help` shows the flags of a command. Data goes to standard output, logs to standard error.',
    zh: '`etcd-ops <子命令> --help` 查看各子命令的参数。数据写到标准输出，日志写到标准错误。',
  },
  commonExits: {
    en: '0 done, 1 unexpected failure, 2 usage, 130 cancelled',
    zh: '0 成功，1 意外错误，2 用法错误，130 已取消',
  },
  seeOperations: { en: 'see docs/OPERATIONS.md', zh: '详见 docs/OPERATIONS.md' },
} as const;
