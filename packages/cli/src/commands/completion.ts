import { SHELLS } from '../completion/shells.ts';
import { defineCommand } from '../options/define-command.ts';

/** `etcd-ops completion SHELL`: a script that makes TAB know commands, flags and their values. */
export const completionCommand = defineCommand({
  name: 'completion',
  task: 'shell',
  summary: { en: 'print a completion script for bash, zsh or fish', zh: '输出 bash、zsh 或 fish 的补全脚本' },
  description: {
    en: 'Prints a script; loaded by the shell, it completes commands, flags and values. It asks nothing of etcd-ops at each TAB.',
    zh: '输出补全脚本；由 shell 加载后可补全子命令、参数和取值。',
  },
  argument: { name: 'shell', required: true, choices: SHELLS, en: 'for which shell', zh: '哪种 shell' },
  flags: {},
  examples: [
    { command: 'source <(etcd-ops completion bash)', en: 'bash, this session', zh: 'bash，当前会话' },
    { command: 'etcd-ops completion zsh > "${fpath[1]}/_etcd-ops"', en: 'zsh, for good', zh: 'zsh，长期生效' },
    {
      command: 'etcd-ops completion fish > ~/.config/fish/completions/etcd-ops.fish',
      en: 'fish, for good',
      zh: 'fish，长期生效',
    },
  ],
  run: async (_, shell) => {
    const [{ completionScript }, { COMMANDS }, { emitText }] = await Promise.all([
      import('../completion/completion-script.ts'),
      import('./command-list.ts'),
      import('../output/emit.ts'),
    ]);
    // One of the choices: anything else was refused before.
    emitText(completionScript(shell as (typeof SHELLS)[number], COMMANDS));
  },
});
