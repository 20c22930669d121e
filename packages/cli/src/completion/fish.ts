import type { Command } from '../options/define-command.ts';
import { flagsOf, type NamedFlag } from '../options/flag-index.ts';
import { completedFlags } from './completed-flags.ts';

/** To be saved as ~/.config/fish/completions/etcd-ops.fish, or sourced. */
export function fishCompletion(commands: readonly Command[]): string {
  return [
    '# fish completion of etcd-ops; save it as ~/.config/fish/completions/etcd-ops.fish',
    'complete -c etcd-ops -f',
    'complete -c etcd-ops -n __fish_use_subcommand -s h -l help -d "show help"',
    'complete -c etcd-ops -n __fish_use_subcommand -s v -l version -d "show the version"',
    ...commands.flatMap(commandLines),
  ].join('\n');
}

function commandLines(command: Command): string[] {
  const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
  const choices = command.argument?.choices;
  return [
    `complete -c etcd-ops -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary.en)}`,
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
