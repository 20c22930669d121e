import { COMMANDS } from './commands/command-list.ts';
import { languageOf } from './help/language.ts';
import { helpOptions, renderCommandHelp, renderProgramHelp } from './help/render-help.ts';
import type { Command } from './options/define-command.ts';
import { respell } from './options/etcdctl-spelling.ts';
import { saidOf } from './options/said-of.ts';
import { readCommandLine } from './options/command-line.ts';
import { version } from './version.ts';

export interface ProgramContext {
  environment: Readonly<Record<string, string | undefined>>;
  stdout: { write(text: string): unknown; columns?: number };
  stderr: { write(text: string): unknown };
  /** Takes secrets out of what the system shows of this process. */
  hideArguments?(command: Command, args: readonly string[]): void;
}

/** Runs one command line and answers with the exit code of the process. */
export async function runProgram(args: readonly string[], context: ProgramContext): Promise<number> {
  try {
    await dispatch(args, context);
    return 0;
  } catch (error) {
    // Loaded only now: it needs the core, which help and completion do without.
    const { reportFailure } = await import('./failure/failure.ts');
    const language = languageOf(context.environment);
    return reportFailure(error, context.stderr, { language, format: formatOf(args, context.environment) });
  }
}

async function dispatch(args: readonly string[], context: ProgramContext): Promise<void> {
  const { args: respelt, note } = respell(args, (name) => COMMANDS.some((command) => command.name === name));
  const [first, ...rest] = respelt;
  const page = helpOptions(context.environment, context.stdout.columns);
  const pageOf = (command: Command | undefined): string =>
    command === undefined ? renderProgramHelp(COMMANDS, version(), page) : renderCommandHelp(command, page);

  if (first === '-v' || first === '--version') return void context.stdout.write(`etcd-ops ${version()}\n`);
  if (first === undefined || first === '-h' || first === '--help') return void context.stdout.write(pageOf(undefined));
  if (first === 'help') {
    return void context.stdout.write(pageOf(rest[0] === undefined ? undefined : await findCommand(rest[0])));
  }
  const command = await findCommand(first);
  context.hideArguments?.(command, rest);
  const line = await readCommandLine(command, rest, context.environment);
  if (line.kind === 'help') return void context.stdout.write(pageOf(command));
  const said = note === undefined ? [] : [saidOf(note, languageOf(context.environment))];
  for (const told of [...said, ...line.notes]) context.stderr.write(`etcd-ops: ${told}\n`);
  try {
    await command.run(line.options, line.argument);
  } catch (error) {
    const { explainFailure } = await import('./failure/explain-failure.ts');
    throw explainFailure(error, line.options);
  }
}

/** Also for a command line that could not be read: whoever asked for JSON reads JSON. */
function formatOf(args: readonly string[], environment: ProgramContext['environment']): 'text' | 'json' {
  const spellings = ['-o', '--output', '--write-out'];
  const given = args.findLast((argument, index) => {
    const [spelling = '', inline] = argument.split('=', 2);
    return spellings.includes(inline === undefined ? (args[index - 1] ?? '') : spelling);
  });
  const value = given?.includes('=') === true ? given.split('=')[1] : (given ?? environment['ETCD_OPS_OUTPUT']);
  return value?.toLowerCase() === 'json' ? 'json' : 'text';
}

async function findCommand(name: string): Promise<Command> {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found;
  const { unknownCommand } = await import('./options/unknown-names.ts');
  throw unknownCommand(name, COMMANDS);
}
