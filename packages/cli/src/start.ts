import { withoutSecrets } from './options/hide-secrets.ts';
import { surviveClosedTerminal } from './output/closed-terminal.ts';
import { runProgram, type ProgramContext } from './program.ts';

/** The whole life of one `etcd-ops` process. */
export async function start(host: NodeJS.Process, environment: ProgramContext['environment']): Promise<void> {
  // Told by libraries to whoever writes programs; who runs this one can do nothing about it.
  Object.assign(host, { noDeprecation: true });
  surviveClosedTerminal(host);
  host.exitCode = await runProgram(host.argv.slice(2), {
    environment,
    stdout: host.stdout,
    stderr: host.stderr,
    hideArguments: (command, args) => {
      const shown = withoutSecrets(args, command);
      if (shown !== undefined) host.title = ['etcd-ops', command.name, ...shown].join(' ');
    },
  });
}
