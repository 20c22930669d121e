import { nearestName } from '@etcd-ops/core';
import type { Command } from './define-command.ts';
import { flagsByName, flagsOf, type NamedFlag, spellings } from './flag-index.ts';
import { variablesOf } from './resolve-options.ts';
import { UsageError, type UsageProblem } from './usage-error.ts';

export function unknownCommand(name: string, commands: readonly Command[]): UsageError {
  if (name.startsWith('-')) {
    return new UsageError([
      {
        message: `${name} stands before the command`,
        remedy: 'Write the command first: etcd-ops <command> [flags]; `etcd-ops --help` lists them.',
      },
    ]);
  }
  const nearest = nearestName(
    name,
    commands.map((command) => command.name),
  );
  const suggestion = nearest === undefined ? '' : `Did you mean ${nearest}? `;
  return new UsageError([
    { message: `There is no command ${name}`, remedy: `${suggestion}\`etcd-ops --help\` lists all commands.` },
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
  const suggestion =
    nearest !== undefined
      ? `Did you mean ${nearest}? `
      : owners.length > 0
        ? `It belongs to ${owners.map((owner) => `etcd-ops ${owner.name}`).join(', ')}. `
        : '';
  return {
    message: `There is no flag ${spelling} on etcd-ops ${command.name}`,
    remedy: `${suggestion}\`etcd-ops ${command.name} --help\` lists all flags.`,
  };
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
