import type { Command } from '../options/define-command.ts';
import { flagsOf, type NamedFlag } from '../options/flag-index.ts';
import { completedFlags, longSpellings } from './completed-flags.ts';

/** Works with bash 3.2, as on macOS, and needs no bash-completion package. */
export function bashCompletion(commands: readonly Command[]): string {
  return `# bash completion of etcd-ops; load it with: source <(etcd-ops completion bash)
_etcd_ops() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous= command= index
  [ "$COMP_CWORD" -gt 0 ] && previous=\${COMP_WORDS[COMP_CWORD-1]}
  # "=" is a word of its own: --flag=val is three words.
  if [ "$word" = '=' ]; then word=; elif [ "$previous" = '=' ]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in -*) ;; *) command=\${COMP_WORDS[index]}; break ;; esac
  done
  COMPREPLY=()
  case $command in
    '') COMPREPLY=($(compgen -W '${[...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' ')}' -- "$word")) ;;
    help) COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$word")) ;;
${commands.map(commandCase).join('\n')}
  esac
}
complete -o filenames -o bashdefault -F _etcd_ops etcd-ops
`.trimEnd();
}

function commandCase(command: Command): string {
  const flags = completedFlags(flagsOf(command));
  const values = flags.flatMap(valueCase);
  const words = [...flags.flatMap(longSpellings), '--help'];
  const choices = command.argument?.choices ?? [];
  return `    ${command.name})
      case $previous in
${[...values, `        *) case $word in -*) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$word")) ;; *) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$word")) ;; esac ;;`].join('\n')}
      esac ;;`;
}

function valueCase({ name, flag }: NamedFlag): string[] {
  if (flag.kind === 'boolean') return [];
  const patterns = [
    ...(flag.short === undefined ? [] : [`-${flag.short}`]),
    `--${name}`,
    ...(flag.aliases ?? []).map((alias) => `--${alias}`),
  ].join(' | ');
  if (flag.choices !== undefined) {
    return [`        ${patterns}) COMPREPLY=($(compgen -W '${flag.choices.join(' ')}' -- "$word")) ;;`];
  }
  if (flag.completes !== undefined) {
    return [`        ${patterns}) COMPREPLY=($(compgen ${flag.completes === 'file' ? '-f' : '-d'} -- "$word")) ;;`];
  }
  return [`        ${patterns}) ;;`];
}
