import { withoutSecrets } from './options/hide-secrets.ts';
import { surviveClosedTerminal } from './output/closed-terminal.ts';
import { runProgram } from './program.ts';

// Told by libraries to whoever writes programs; who runs this one can do nothing about it.
Object.assign(process, { noDeprecation: true });
surviveClosedTerminal(process);
process.exitCode = await runProgram(process.argv.slice(2), {
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  hideArguments: (command, args) => {
    const shown = withoutSecrets(args, command);
    if (shown !== undefined) process.title = ['etcd-ops', command.name, ...shown].join(' ');
  },
});
