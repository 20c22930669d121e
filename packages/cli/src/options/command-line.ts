import { languageOf } from '../help/language.ts';
import type { Command } from './define-command.ts';
import { flagsOf, type NamedFlag, readsConfigFile } from './flag-index.ts';
import { readArguments, type ReadArguments } from './read-arguments.ts';
import { type FileValue, resolveOptions, type ResolvedOptions, variablesOf } from './resolve-options.ts';
import { UsageError, type UsageProblem } from './usage-error.ts';

/** Set by bin/etcd-ops, and the path of a nats-server. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(['ETCD_OPS_TOOLS_DIR', 'ETCD_OPS_NATS_SERVER']);

type Environment = Readonly<Record<string, string | undefined>>;

export type CommandLine =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run';
      readonly options: Record<string, unknown>;
      readonly argument: string | undefined;
      /** What the user should know before it begins: one line each, for standard error. */
      readonly notes: readonly string[];
    };

/** @throws UsageError with everything that is wrong on the line, in the environment and in the configuration file. */
export async function readCommandLine(
  command: Command,
  args: readonly string[],
  environment: Environment,
): Promise<CommandLine> {
  const flags = flagsOf(command);
  const read = readArguments(args, flags);
  if (read.helpAsked) return { kind: 'help' };
  const problems: UsageProblem[] = [...read.problems];
  if (read.unknown.length > 0) {
    const [{ unknownFlag }, { COMMANDS }] = await Promise.all([
      import('./unknown-names.ts'),
      import('../commands/command-list.ts'),
    ]);
    for (const spelling of read.unknown) problems.push(unknownFlag(spelling, command, COMMANDS));
  }
  const argument = readPositional(command, read, problems);
  const file = readsConfigFile(command) ? await readFileValues(command, { flags, read, environment, problems }) : [];
  const resolved = resolveOptions({ flags, given: read.given, environment, file });
  problems.push(...resolved.problems);
  if (problems.length > 0) throw new UsageError(problems);
  if (readsConfigFile(command)) delete resolved.options['config'];
  return {
    kind: 'run',
    options: resolved.options,
    argument,
    notes: [...notesOf(resolved, environment), ...(await misspeltVariables(environment, flags))],
  };
}

function readPositional(command: Command, { positional }: ReadArguments, problems: UsageProblem[]): string | undefined {
  const { argument } = command;
  const [first, ...more] = argument === undefined ? [undefined, ...positional] : positional;
  for (const stray of more) {
    problems.push({
      message: { en: `"${stray}" stands alone on the command line`, zh: `命令行上有多余的 "${stray}"` },
      remedy: {
        en: `Values follow their flag: --flag ${stray} or --flag=${stray}.`,
        zh: `值应跟在参数之后：--flag ${stray} 或 --flag=${stray}。`,
      },
    });
  }
  if (argument === undefined) return undefined;
  const choices = argument.choices === undefined ? '' : `: ${argument.choices.join(', ')}`;
  const remedy = { en: `Name ${argument.en}${choices}.`, zh: `请给出${argument.zh}${choices}。` };
  if (first === undefined && argument.required) {
    problems.push({
      message: {
        en: `etcd-ops ${command.name} needs a ${argument.name}`,
        zh: `etcd-ops ${command.name} 需要 ${argument.name}`,
      },
      remedy,
    });
  } else if (first !== undefined && argument.choices?.includes(first) === false) {
    const message = { en: `There is no ${argument.name} "${first}"`, zh: `没有 ${argument.name} "${first}"` };
    problems.push({ message, remedy });
  }
  return first;
}

async function readFileValues(
  command: Command,
  {
    flags,
    read,
    environment,
    problems,
  }: { flags: readonly NamedFlag[]; read: ReadArguments; environment: Environment; problems: UsageProblem[] },
): Promise<readonly FileValue[]> {
  const config = flags.filter(({ key }) => key === 'config');
  const { options } = resolveOptions({ flags: config, given: read.given, environment, file: [] });
  const path = options['config'];
  if (typeof path !== 'string') return [];
  const { readConfigFile } = await import('../config/config-file.ts');
  const result = await readConfigFile(path, command);
  problems.push(...result.problems);
  return result.values;
}

function notesOf({ options, used }: ResolvedOptions, environment: Environment): string[] {
  const language = languageOf(environment);
  return [...used.values()].flatMap(({ named: { key, flag }, origin }) => {
    if (flag.kind === 'unneeded') {
      return [
        language === 'zh'
          ? `无需 ${origin}：${flag.zh}。已忽略。`
          : `${origin} is not needed and has no effect: ${flag.en}.`,
      ];
    }
    if (flag.warning === undefined || options[key] === false) return [];
    return [language === 'zh' ? `注意 ${origin}：${flag.warning.zh}。` : `Beware of ${origin}: ${flag.warning.en}.`];
  });
}

const PREFIX = 'ETCD_OPS_';

/** Variables that look like a slip of the pen. Others may belong to a service or to this program's own scripts: not a word about those. */
async function misspeltVariables(environment: Environment, flags: readonly NamedFlag[]): Promise<string[]> {
  const { COMMANDS } = await import('../commands/command-list.ts');
  const known = new Set([...flags, ...COMMANDS.flatMap(flagsOf)].flatMap(variablesOf));
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith(PREFIX) && !known.has(name) && !OTHER_VARIABLES.has(name),
  );
  if (unknown.length === 0) return [];
  const { nearestVariable } = await import('./unknown-names.ts');
  return unknown.flatMap((name) => {
    const nearest = nearestVariable(name, flags);
    if (nearest === undefined) return [];
    return languageOf(environment) === 'zh'
      ? [`未知的环境变量 ${name}；是否想写 ${nearest}？`]
      : [`The variable ${name} is not known; did you mean ${nearest}?`];
  });
}
