import { surviveClosedTerminal } from './output/closed-terminal.ts';
import { runProgram } from './program.ts';

surviveClosedTerminal(process);
process.exitCode = await runProgram(process.argv.slice(2), {
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
