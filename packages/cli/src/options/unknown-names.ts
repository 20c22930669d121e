import { nearestName } from '@etcd-ops/core';
import type { Said } from '../help/language.ts';
import type { Command } from './define-command.ts';
import { flagsByName, flagsOf, type NamedFlag, spellings } from './flag-index.ts';
import { variablesOf } from './resolve-options.ts';
import { UsageError, type UsageProblem } from './usage-error.ts';

export function unknownCommand(name: string, commands: readonly Command[]): UsageError {
  if (name.startsWith('-')) {
    return new UsageError([
      {
        message: { en: `${name} stands before the command`, zh: `${name} 写在了子命令之前` },
        remedy: {
          en: 'Write the command first: etcd-ops <command> [flags]; `etcd-ops --help` lists them.',
          zh: '请先写子命令：etcd-ops <子命令> [参数]；`etcd-ops --help` 列出全部子命令。',
        },
      },
    ]);
  }
  const nearest = nearestName(
    name,
    commands.map((command) => command.name),
  );
  const suggestion = nearest === undefined ? NO_SUGGESTION : didYouMean(nearest);
  return new UsageError([
    {
      message: { en: `There is no command ${name}`, zh: `没有子命令 ${name}` },
      remedy: {
        en: `${suggestion.en}\`etcd-ops --help\` lists all commands.`,
        zh: `${suggestion.zh}\`etcd-ops --help\` 列出全部子命令。`,
      },
    },
  ]);
}

export function unknownFlag(spelling: string, command: Command, commands: readonly Command[]): UsageProblem {
  const known = flagsOf(command).flatMap((named) => [
    ...spellings(named),
    ...(named.flag.kind === 'boolean' ? [`--no-${named.name}`] : []),
  ]);
  // One dash, camel case and underscores are how other tools write it.
  const nearest = nearestName(`--${kebab(spelling.replace(/^-+/, ''))}`, known);
  const owners = commands.filter((other) => flagsByName(flagsOf(other)).has(spelling.replace(/^-+/, '')));
  const suggestion = nearest !== undefined ? didYouMean(nearest) : belongsTo(owners);
  return {
    message: {
      en: `There is no flag ${spelling} on etcd-ops ${command.name}`,
      zh: `etcd-ops ${command.name} 没有参数 ${spelling}`,
    },
    remedy: {
      en: `${suggestion.en}\`etcd-ops ${command.name} --help\` lists all flags.`,
      zh: `${suggestion.zh}\`etcd-ops ${command.name} --help\` 列出全部参数。`,
    },
  };
}

const NO_SUGGESTION: Said = { en: '', zh: '' };

export function didYouMean(nearest: string): Said {
  return { en: `Did you mean ${nearest}? `, zh: `是否想写 ${nearest}？` };
}

function belongsTo(owners: readonly Command[]): Said {
  if (owners.length === 0) return NO_SUGGESTION;
  const names = owners.map((owner) => `etcd-ops ${owner.name}`).join(', ');
  return { en: `It belongs to ${names}. `, zh: `它属于 ${names}。` };
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-');
}

export function unknownKey(key: string, command: Command): string | undefined {
  return nearestName(kebab(key), flagsByName(flagsOf(command)).keys());
}

/** Only the part behind the prefix is compared, which all have in common. */
export function nearestVariable(name: string, flags: readonly NamedFlag[]): string | undefined {
  const nearest = nearestName(
    name.slice('ETCD_OPS_'.length),
    flags.flatMap(variablesOf).map((variable) => variable.slice('ETCD_OPS_'.length)),
  );
  return nearest === undefined ? undefined : `ETCD_OPS_${nearest}`;
}
