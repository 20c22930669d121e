import type { Command } from '../options/define-command.ts';
import { flagsOf, type NamedFlag } from '../options/flag-index.ts';
import { completedFlags } from './completed-flags.ts';

/** To be saved as `_etcd-ops` in a folder of $fpath, or sourced. */
export function zshCompletion(commands: readonly Command[]): string {
  return `#compdef etcd-ops
# zsh completion of etcd-ops; save it as _etcd-ops in a folder of $fpath, or: source <(etcd-ops completion zsh)
_etcd_ops() {
  local -a commands
  local state line
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${escapeColons(summary.en)}`)}`).join('\n')}
  )
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '(-v --version)'{-v,--version}'[show the version]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${commands.map(commandCase).join('\n')}
        help) _describe command commands ;;
      esac ;;
  esac
}
if [ "$funcstack[1]" = _etcd_ops ] || [ "$funcstack[1]" = _etcd-ops ]; then _etcd_ops "$@"; else compdef _etcd_ops etcd-ops; fi`;
}

function commandCase(command: Command): string {
  const choices = command.argument?.choices;
  const specs = [
    ...completedFlags(flagsOf(command)).flatMap(flagSpecs),
    ...(choices === undefined ? [] : [quote(`1:${command.argument!.name}:(${choices.join(' ')})`)]),
    quote('--help[show help]'),
  ];
  return `        ${command.name}) _arguments ${specs.join(' \\\n          ')} ;;`;
}

function flagSpecs({ name, flag }: NamedFlag): string[] {
  const told = `[${escapeBrackets(flag.en)}]`;
  if (flag.kind === 'boolean') {
    return [quote(`--${name}${told}`), quote(`--no-${name}[not: ${escapeBrackets(flag.en)}]`)];
  }
  const action =
    flag.choices !== undefined
      ? `(${flag.choices.join(' ')})`
      : flag.completes === 'directory'
        ? '_files -/'
        : flag.completes === 'file'
          ? '_files'
          : ' ';
  const value = `:${escapeColons(flag.value ?? 'value')}:${action}`;
  const repeated = flag.kind === 'list' ? '*' : '';
  const short = flag.short === undefined ? [] : [quote(`${repeated}-${flag.short}${told}${value}`)];
  return [...short, quote(`${repeated}--${name}=${told}${value}`)];
}

function escapeColons(text: string): string {
  return text.replaceAll(':', '\\:');
}

function escapeBrackets(text: string): string {
  return text.replaceAll('[', '\\[').replaceAll(']', '\\]').replaceAll(':', '\\:');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
