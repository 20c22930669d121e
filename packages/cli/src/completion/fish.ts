import type { Command } from '../options/define-command.ts';
import { flagsOf, type NamedFlag } from '../options/flag-index.ts';
import { completedFlags } from './completed-flags.ts';

/** True when the first word that is no flag is the one given, or when there is none yet. */
const FIRST_WORD_FUNCTION = `function __etcd_ops_first_word
  set -l words (commandline -opc)
  for word in $words[2..-1]
    string match -q -- '-*' $word; and continue
    test "$word" = "$argv[1]"
    return
  end
  test -z "$argv[1]"
end`;

/** To be saved as ~/.config/fish/completions/etcd-ops.fish, or sourced. */
export function fishCompletion(commands: readonly Command[]): string {
  return [
    '# fish completion of etcd-ops; save it as ~/.config/fish/completions/etcd-ops.fish',
    FIRST_WORD_FUNCTION,
    'complete -c etcd-ops -f',
    'complete -c etcd-ops -s h -l help -d "show help"',
    'complete -c etcd-ops -n __etcd_ops_first_word -s v -l version -d "show the version"',
    `complete -c etcd-ops -n '__etcd_ops_first_word help' -a ${quote(commands.map(({ name }) => name).join(' '))}`,
    ...commands.flatMap(commandLines),
  ].join('\n');
}

function commandLines(command: Command): string[] {
  const seen = `-n '__etcd_ops_first_word ${command.name}'`;
  const choices = command.argument?.choices;
  return [
    `complete -c etcd-ops -n __etcd_ops_first_word -a ${command.name} -d ${quote(command.summary.en)}`,
    ...(choices === undefined ? [] : [`complete -c etcd-ops ${seen} -a ${quote(choices.join(' '))}`]),
    ...completedFlags(flagsOf(command)).flatMap((named) => flagLines(named, seen)),
  ];
}

function flagLines({ name, flag }: NamedFlag, seen: string): string[] {
  const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
  const told = `-d ${quote(flag.en)}`;
  if (flag.kind === 'boolean') {
    return [
      `complete -c etcd-ops ${seen}${short} -l ${name} ${told}`,
      `complete -c etcd-ops ${seen} -l no-${name} -d ${quote(`not: ${flag.en}`)}`,
    ];
  }
  const values =
    flag.choices !== undefined
      ? ` -x -a ${quote(flag.choices.join(' '))}`
      : flag.completes === undefined
        ? ' -x'
        : flag.completes === 'file'
          ? ' -r -F'
          : " -x -a '(__fish_complete_directories)'";
  return [`complete -c etcd-ops ${seen}${short} -l ${name}${values} ${told}`];
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
