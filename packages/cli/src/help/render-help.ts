import { type Command, type CommandSpec, TASKS, type TaskName } from '../options/define-command.ts';
import { flagsOf, type NamedFlag, writtenDefault } from '../options/flag-index.ts';
import { SECTION_NAMES, SECTIONS } from '../options/sections.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { type Language, languageOf } from './language.ts';
import { twoColumns, wrap } from './layout.ts';
import { TEXTS } from './texts.ts';

const WIDTH_MIN = 60;
const WIDTH_MAX = 120;
const FLAG_COLUMNS_MAX = 38;

export interface HelpOptions {
  language: Language;
  /** Columns of the page. */
  width: number;
}

/** As wide as the terminal, within what can be read well. */
export function helpOptions(
  environment: Readonly<Record<string, string | undefined>>,
  columns: number | undefined,
): HelpOptions {
  return { language: languageOf(environment), width: Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, columns ?? 100)) };
}

/** The first page: commands by what somebody wants to do. */
export function renderProgramHelp(
  commands: readonly Command[],
  version: string,
  { language, width }: HelpOptions,
): string {
  const say = (text: keyof typeof TEXTS): string => TEXTS[text][language];
  const nameColumns = Math.max(...commands.map((command) => command.name.length));
  const tasks = (Object.keys(TASKS) as TaskName[]).flatMap((task) => {
    const members = commands.filter((command) => command.task === task);
    if (members.length === 0) return [];
    const rows = members.map((command) => ({
      left: command.name.padEnd(nameColumns),
      right: command.summary[language],
    }));
    return ['', TASKS[task][language], ...twoColumns(rows, { width, leftMax: nameColumns })];
  });
  const examples = ['demo', 'snapshot', 'list', 'restore'].flatMap(
    (name) => commands.find((command) => command.name === name)?.examples.slice(0, 1) ?? [],
  );
  return [
    ...wrap(`etcd-ops ${version}: ${say('tagline')}`, width),
    '',
    `${say('usage')}: etcd-ops ${say('command')} ${say('flags')}`,
    ...tasks,
    '',
    say('examples'),
    ...exampleLines(examples, language),
    '',
    say('settings'),
    ...wrap(say('precedence'), width - 2).map((line) => `  ${line}`),
    '',
    ...wrap(say('more'), width),
    '',
  ].join('\n');
}

/** The page of one command. */
export function renderCommandHelp(command: Command, { language, width }: HelpOptions): string {
  const say = (text: keyof typeof TEXTS): string => TEXTS[text][language];
  const { argument } = command;
  const argumentUsage =
    argument === undefined ? '' : ` ${argument.required ? `<${argument.name}>` : `[${argument.name}]`}`;
  const flags = flagsOf(command);
  return [
    `${say('usage')}: etcd-ops ${command.name}${argumentUsage} ${say('flags')}`,
    '',
    ...wrap(command.description[language], width),
    ...(command.examples.length === 0 ? [] : ['', say('examples'), ...exampleLines(command.examples, language)]),
    ...argumentLines(command, { language, width }),
    ...SECTION_NAMES.flatMap((section) => {
      const members = flags.filter(({ flag }) => flag.kind !== 'unneeded' && (flag.section ?? 'own') === section);
      if (members.length === 0) return [];
      return [
        '',
        SECTIONS[section][language],
        ...twoColumns(
          members.map((named) => flagRow(named, language)),
          { width, leftMax: FLAG_COLUMNS_MAX },
        ),
      ];
    }),
    ...unneededLines(flags, { language, width }),
    '',
    say('settings'),
    ...wrap(say('precedence'), width - 2).map((line) => `  ${line}`),
    '',
    `${say('exitCodes')} (${say('seeOperations')})`,
    ...wrap(
      [say('commonExits'), ...(command.exitCodes ?? []).map((code) => `${code} ${EXIT_CODES[code]![language]}`)].join(
        language === 'zh' ? '，' : ', ',
      ),
      width - 2,
    ).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function exampleLines(examples: CommandSpec['examples'], language: Language): string[] {
  return examples.flatMap((example) => [`  # ${example[language]}`, `  ${example.command}`]);
}

function argumentLines({ argument }: Command, { language, width }: HelpOptions): string[] {
  if (argument === undefined) return [];
  const choices = argument.choices === undefined ? '' : ` (${argument.choices.join(', ')})`;
  return [
    '',
    TEXTS.argument[language],
    ...twoColumns([{ left: `<${argument.name}>`, right: `${argument[language]}${choices}` }], {
      width,
      leftMax: FLAG_COLUMNS_MAX,
    }),
  ];
}

function flagRow({ name, flag }: NamedFlag, language: Language): { left: string; right: string } {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  const value = flag.kind === 'boolean' ? '' : ` <${flag.value ?? 'value'}>`;
  const notes = [
    ...(flag.choices !== undefined && flag.value !== flag.choices.join('|') ? [flag.choices.join(', ')] : []),
    ...(flag.kind === 'list' ? [TEXTS.repeatable[language]] : []),
    ...defaultNote(flag, language),
    ...(flag.aliases === undefined
      ? []
      : [`${TEXTS.also[language]} ${flag.aliases.map((alias) => `--${alias}`).join(', ')}`]),
  ];
  return {
    left: `${short}--${name}${value}`,
    right: `${flag[language]}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`,
  };
}

function defaultNote(flag: NamedFlag['flag'], language: Language): string[] {
  if (flag.defaultText !== undefined) return [`${TEXTS.default[language]} ${flag.defaultText[language]}`];
  const written = writtenDefault(flag);
  return written === undefined || flag.defaultValue === false ? [] : [`${TEXTS.default[language]} ${written}`];
}

/** Together by their reason, for there are many and nobody needs them. */
function unneededLines(flags: readonly NamedFlag[], { language, width }: HelpOptions): string[] {
  const byReason = Map.groupBy(
    flags.filter(({ flag }) => flag.kind === 'unneeded'),
    ({ flag }) => flag[language],
  );
  if (byReason.size === 0) return [];
  const lines = [...byReason].flatMap(([reason, members]) => [
    ...wrap(members.map(({ name }) => `--${name}`).join(', '), width - 2).map((line) => `  ${line}`),
    ...wrap(reason, width - 6).map((line) => `      ${line}`),
  ]);
  return ['', TEXTS.notNeeded[language], ...lines];
}
