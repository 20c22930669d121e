import { Command, Option } from 'commander';
import type { DemoOptions } from '../demo/run-demo.ts';
import { outputOption, parseCount } from '../options/parse.ts';

/** `etcd-ops demo`: the whole promise, kept on a real etcd, on this machine, now. */
export function demoCommand(): Command {
  return new Command('demo')
    .summary('see a real etcd captured, lost and restored exactly')
    .description(
      'Starts a real etcd, backs it up under load, deletes a prefix by mistake, destroys the etcd, restores the newest state and the moment before the mistake, and compares both with what the living cluster had said. The exit code is 0 only if everything was equal.',
    )
    .option('--keep', 'leave everything running and say which commands to play with')
    .option('--etcd-version <version>', 'which of the etcd versions at hand (default: the newest)')
    .addOption(new Option('--seed <number>', 'seed of the load').argParser(parseCount).default(20_261_120))
    .addOption(outputOption())
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('../demo/run-demo.ts');
      await runDemo(options);
    });
}
