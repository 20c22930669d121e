import { type Command, TASKS, variableName } from '../options/define-command.ts';
import { flagsOf, type NamedFlag, writtenDefault } from '../options/flag-index.ts';
import { JSON_FIELDS } from './json-fields.ts';
import { SECTION_NAMES, SECTIONS } from '../options/sections.ts';

const HEAD = `# Commands

Made from the tables of the commands (\`node packages/cli/src/docs/write-docs.ts\`); a test holds them equal.

**Flags.** \`--flag value\` and \`--flag=value\`. Switches take \`--flag\`, \`--flag true\`, \`--flag=false\`, \`--flag false\` and \`--no-flag\`. Lists are comma separated
and may be repeated. Durations look like \`10s\`, \`1m30s\`; sizes like \`10485760\`, \`10MB\`, \`10Mi\`; times like \`2026-11-20T06:00:00Z\`, with their zone.

**As etcdctl has it.** \`etcd-ops snapshot restore FILE\` is taken for \`restore --from-file FILE\`, \`snapshot status FILE\` for \`inspect FILE\`, with flags on either side; what only etcdctl does is said.

**Sources.** A flag wins over its variable, the variable over the configuration file, the file over the default. The variable of \`--data-dir\` is \`ETCD_OPS_DATA_DIR\`; other
spellings of a flag have variables too. The file is YAML and is named by \`--config\` or \`ETCD_OPS_CONFIG\`; its keys are the names of the flags, for every command or, below the name of a
command, for that one:

\`\`\`yaml
bucket: /var/backups/etcd
cluster-name: prod
snapshot:
  endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379]
  max-backups: 480
\`\`\`

Passwords and \`--yes\` cannot stand in it. A key or flag that nobody knows is refused and the nearest name is said; every mistake is told at once.

**Output.** Data goes to standard output; logs, progress and errors to standard error, in every format. \`-o json\` prints one document. Its fields are listed below; in later versions
fields are added, never renamed or removed, so ignore those you do not know. Revisions, sizes and counts are numbers, cluster, member and lease ids lower-case hex strings, times RFC 3339. \`x[]\` is a list,
\`x.*\` an object with keys of its own. A field without a value is left out.

**Progress.** \`--progress json\` prints a line a second, \`{"progress":{"phase","bytesDone","bytesTotal","bytesPerSecond","etaSeconds"}}\`; \`bytesTotal\` is 0 and \`etaSeconds\` left out as long as nobody knows them.

**Errors** are told in the language of \`LC_ALL\`, \`LC_MESSAGES\` or \`LANG\`, English or Chinese; in Chinese the message as it was thrown follows, for it is what others have written about. With \`-o json\`
a failure is one line on standard error: \`{"error":{"code","exitCode","message","why","remedy","retriable"}}\`, always in English; \`localized\` beside them holds \`language\`, \`message\`, \`why\` and \`remedy\` when
the language is another one, \`problems\` each mistake of a command line or configuration file with its \`message\` and \`remedy\`. What was read of the data before the failure may stand on standard output.

**Exit codes and failures** are in [OPERATIONS.md](OPERATIONS.md).
`;

/** docs/COMMANDS.md. */
export function commandsPage(commands: readonly Command[]): string {
  return [HEAD, ...commands.map(commandPart)].join('\n');
}

function commandPart(command: Command): string {
  const flags = flagsOf(command);
  const argument = command.argument === undefined ? '' : ` <${command.argument.name}>`;
  return [
    `## etcd-ops ${command.name}${argument}`,
    '',
    `*${TASKS[command.task].en}: ${command.summary.en}.* ${command.description.en}`,
    ...(command.argument?.choices === undefined
      ? []
      : ['', `\`<${command.argument.name}>\` is one of ${command.argument.choices.map(code).join(', ')}.`]),
    '',
    '```sh',
    ...command.examples.flatMap((example) => [`# ${example.en}`, example.command]),
    '```',
    '',
    ...flagTable(flags),
    ...unneededList(flags),
    ...jsonTable(command),
  ].join('\n');
}

function flagTable(flags: readonly NamedFlag[]): string[] {
  const shown = SECTION_NAMES.flatMap((section) =>
    flags
      .filter(({ flag }) => flag.kind !== 'unneeded' && (flag.section ?? 'own') === section)
      .map((named, index) =>
        row([
          index === 0 ? SECTIONS[section].en : '',
          flagCell(named),
          defaultCell(named),
          cell(named.flag.en),
          code(variableName(named.name)),
        ]),
      ),
  );
  return [row(['', 'flag', 'default', 'meaning', 'variable']), row(['---', '---', '---', '---', '---']), ...shown, ''];
}

function flagCell({ name, flag }: NamedFlag): string {
  const value = flag.kind === 'boolean' ? '' : ` <${flag.value ?? 'value'}>`;
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  const choices =
    flag.choices === undefined || flag.value === flag.choices.join('|') ? '' : `: ${flag.choices.map(code).join(', ')}`;
  const also = flag.aliases === undefined ? '' : `; also ${flag.aliases.map((alias) => code(`--${alias}`)).join(', ')}`;
  return `${code(`${short}--${name}${value.replaceAll('|', '\\|')}`)}${choices}${also}`;
}

function defaultCell({ flag }: NamedFlag): string {
  if (flag.defaultText !== undefined) return cell(flag.defaultText.en);
  const written = writtenDefault(flag);
  return written === undefined ? '' : code(written);
}

function unneededList(flags: readonly NamedFlag[]): string[] {
  const unneeded = flags.filter(({ flag }) => flag.kind === 'unneeded');
  if (unneeded.length === 0) return [];
  const byReason = Map.groupBy(unneeded, ({ flag }) => flag.en);
  const lines = [...byReason].map(
    ([reason, members]) => `- ${members.map(({ name }) => code(`--${name}`)).join(', ')}: ${reason}.`,
  );
  return ['Taken from other tools, without effect, and said so:', '', ...lines, ''];
}

function jsonTable({ name }: Command): string[] {
  return (JSON_FIELDS[name] ?? []).flatMap(({ title, fields }) => [
    row([title, 'meaning']),
    row(['---', '---']),
    ...Object.entries(fields).map(([path, meaning]) => row([code(path), cell(meaning)])),
    '',
  ]);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function code(text: string): string {
  return `\`${text}\``;
}
