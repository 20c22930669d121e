import { Command, CommanderError } from 'commander';
import { demoCommand } from './commands/demo.ts';
import { listCommand } from './commands/list.ts';
import { restoreCommand } from './commands/restore.ts';
import { serviceCommand } from './commands/service.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { statusCommand } from './commands/status.ts';
import { reportFailure, USAGE_EXIT_CODE } from './output/failure.ts';
import { version } from './version.ts';

/** The whole command line. Each command loads what it needs when it is run, so that help stays quick. */
export function createProgram(): Command {
  const program = new Command('etcd-ops')
    .description('Continuous backup, exact restore and daily care of etcd.')
    .version(version(), '-v, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows the options)')
    .exitOverride();
  for (const command of [demoCommand(), snapshotCommand(), restoreCommand(), listCommand(), statusCommand(), serviceCommand()]) {
    program.addCommand(command.exitOverride());
  }
  return program;
}

/** Runs one command line and answers with the exit code of the process. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed its own message already; its help and version come this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    return reportFailure(error, process.stderr);
  }
}
