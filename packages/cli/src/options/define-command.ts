import type { Said } from '../help/language.ts';
import type { Flag } from './flag.ts';

/** Keyed as the command reads them (`dataDir`); the flag is the same in kebab case (`--data-dir`). */
export type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F> = F extends Flag<infer Value> ? Value : never;
type RequiredKeys<F extends Flags> = { [Key in keyof F]: undefined extends ValueOf<F[Key]> ? never : Key }[keyof F];

/** What a command is called with: flags with a default are always there, the others only when given. */
export type OptionsOf<F extends Flags> = { [Key in RequiredKeys<F>]: ValueOf<F[Key]> } & {
  [Key in Exclude<keyof F, RequiredKeys<F>>]?: Exclude<ValueOf<F[Key]>, undefined>;
};

export interface ArgumentSpec extends Said {
  readonly name: string;
  readonly required: boolean;
  readonly choices?: readonly string[];
}

export interface Example extends Said {
  readonly command: string;
}

/** Headings of the first page of help: by what somebody wants to do. */
export const TASKS = {
  try: { en: 'See it work', zh: '先看一看' },
  backup: { en: 'Back up', zh: '备份' },
  recover: { en: 'Recover', zh: '恢复' },
  look: { en: 'Look', zh: '查看' },
  care: { en: 'Care for what is stored', zh: '维护备份' },
  fleet: { en: 'Run a fleet', zh: '大规模运行' },
  shell: { en: 'This program', zh: '本程序' },
} as const satisfies Record<string, Said>;

export type TaskName = keyof typeof TASKS;

export interface CommandSpec<F extends Flags = Flags> {
  readonly name: string;
  readonly task: TaskName;
  /** Half a line on the first page of help, no full stop. */
  readonly summary: Said;
  /** Whole sentences on its own page. */
  readonly description: Said;
  readonly argument?: ArgumentSpec;
  readonly flags: F;
  readonly examples: readonly Example[];
  /** The exit codes that this command is known for, beside 0, 1, 2 and 130. */
  readonly exitCodes?: readonly number[];
  /** Loads what it needs with `import()` when it is called, so that help and completion stay quick. */
  run(options: OptionsOf<F>, argument: string | undefined): Promise<void>;
}

/** What parsing, help, completion and the documents read of a command. */
export interface Command extends Omit<CommandSpec, 'run'> {
  run(options: Record<string, unknown>, argument: string | undefined): Promise<void>;
}

/**
 * The one place where a command is described. Its flags, their other spellings, `ETCD_OPS_*` variables, configuration keys, help in both
 * languages, completion and docs/COMMANDS.md all come from here.
 */
export function defineCommand<const F extends Flags>(spec: CommandSpec<F>): Command {
  // Options were parsed by the very flags that give them their type.
  return { ...spec, run: (options, argument) => spec.run(options as OptionsOf<F>, argument) };
}

/** `dataDir` -> `data-dir`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `data-dir` -> `ETCD_OPS_DATA_DIR`. */
export function variableName(name: string): string {
  return `ETCD_OPS_${name.toUpperCase().replaceAll('-', '_')}`;
}
