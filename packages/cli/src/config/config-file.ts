import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Said } from '../help/language.ts';
import { systemErrorZh } from '../failure/system-errors-zh.ts';
import { type Command, variableName } from '../options/define-command.ts';
import { flagsByName, flagsOf, type NamedFlag } from '../options/flag-index.ts';
import type { FileValue } from '../options/resolve-options.ts';
import { didYouMean, unknownKey } from '../options/unknown-names.ts';
import { UsageError, type UsageProblem, ValueError } from '../options/usage-error.ts';
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Pair,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml';

const FILE_BYTES_MAX = 1024 * 1024;

export interface ConfigFile {
  readonly values: readonly FileValue[];
  readonly problems: readonly UsageProblem[];
}

/**
 * Keys are names of flags. At the top they hold for every command that has such a flag; below the name of a command, for that one
 * only, and win there. A key that no command knows, a value that its flag refuses and a key given twice are told with their lines, all at once.
 *
 * @throws UsageError when the file cannot be read or is no YAML.
 */
export async function readConfigFile(path: string, command: Command): Promise<ConfigFile> {
  const { COMMANDS } = await import('../commands/command-list.ts');
  return parseConfigFile(await readText(path), { name: basename(path), command, commands: COMMANDS });
}

export function parseConfigFile(
  source: string,
  { name, command, commands }: { name: string; command: Command; commands: readonly Command[] },
): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, uniqueKeys: false });
  if (document.errors.length > 0) {
    throw new UsageError(
      document.errors.map((error) => ({
        message: notYaml(name, lines.linePos(error.pos[0]).line, error),
        remedy: {
          en: 'Correct that line; keys and values look like `bucket: /var/backups/etcd`.',
          zh: '请更正该行；写法如 `bucket: /var/backups/etcd`。',
        },
      })),
    );
  }
  if (document.contents === null) return { values: [], problems: [] };
  if (!isMap(document.contents)) {
    throw new UsageError([
      {
        message: { en: `${name} holds no settings`, zh: `${name} 中没有设置` },
        remedy: {
          en: 'Write one setting a line, as `bucket: /var/backups/etcd`.',
          zh: '每行写一个设置，如 `bucket: /var/backups/etcd`。',
        },
      },
    ]);
  }
  const reader = new SectionReader(name, lines, commands);
  const top = reader.readTop(document.contents);
  const section = reader.sections.get(command.name);
  const flags = flagsByName(flagsOf(command));
  const values = [...top, ...(section ?? [])].flatMap((setting) => {
    const named = flags.get(setting.name);
    return named === undefined
      ? []
      : [{ key: named.key, texts: setting.texts, where: `${setting.name} (${setting.where})` }];
  });
  return { values, problems: reader.problems };
}

interface Setting {
  name: string;
  texts: string[];
  where: string;
}

class SectionReader {
  readonly problems: UsageProblem[] = [];
  readonly sections = new Map<string, Setting[]>();
  readonly #name: string;
  readonly #lines: LineCounter;
  readonly #commands: readonly Command[];

  constructor(name: string, lines: LineCounter, commands: readonly Command[]) {
    this.#name = name;
    this.#lines = lines;
    this.#commands = commands;
  }

  readTop(map: YAMLMap): Setting[] {
    return this.#read(map, undefined);
  }

  #read(map: YAMLMap, section: Command | undefined): Setting[] {
    const settings: Setting[] = [];
    const linesByName = new Map<string, string>();
    for (const pair of map.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const where = this.#whereOf(pair);
      const child = section === undefined ? this.#commands.find((command) => command.name === key) : undefined;
      if (child !== undefined && isMap(pair.value)) {
        this.sections.set(child.name, this.#read(pair.value, child));
        continue;
      }
      const named = this.#find(key, section);
      if (named === undefined) {
        this.problems.push(this.#unknown(key, where, section));
        continue;
      }
      const first = linesByName.get(named.name);
      linesByName.set(named.name, where);
      if (first !== undefined) {
        this.problems.push({
          message: {
            en: `${key} is set twice, at ${first} and ${where}`,
            zh: `${key} 设置了两次：${first} 与 ${where}`,
          },
          remedy: { en: 'Keep one of them.', zh: '请只保留一处。' },
        });
        continue;
      }
      const texts = this.#texts(pair, { key, where, named });
      if (texts !== undefined) settings.push({ name: key, texts, where });
    }
    return settings;
  }

  #find(key: string, section: Command | undefined): NamedFlag | undefined {
    const candidates = section === undefined ? this.#commands : [section];
    return candidates.map((command) => flagsByName(flagsOf(command)).get(key)).find((named) => named !== undefined);
  }

  #texts(pair: Pair, { key, where, named }: { key: string; where: string; named: NamedFlag }): string[] | undefined {
    const texts = textsOf(pair.value);
    if (named.flag.notInFile === true) {
      this.problems.push({
        message: { en: `${key} (${where}) cannot stand in a file`, zh: `${key}（${where}）不能写在文件中` },
        remedy:
          named.name === 'etcd-password'
            ? {
                en: 'Use etcd-password-file, a file that only the owner can read.',
                zh: '请用 etcd-password-file 指定一个只有属主可读的文件。',
              }
            : {
                en: `Give it as --${named.name} or ${variableName(named.name)}.`,
                zh: `请用 --${named.name} 或 ${variableName(named.name)} 给出。`,
              },
      });
      return undefined;
    }
    if (texts === undefined || (texts.length !== 1 && named.flag.kind !== 'list')) {
      this.problems.push({
        message: { en: `${key} (${where}) has no single value`, zh: `${key}（${where}）应当只有一个值` },
        remedy: {
          en: `Write ${key}: <${named.flag.value ?? 'true|false'}>.`,
          zh: `请写 ${key}: <${named.flag.value ?? 'true|false'}>。`,
        },
      });
      return undefined;
    }
    try {
      for (const text of texts) named.flag.parse(text);
      return texts;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      this.problems.push({
        message: {
          en: `${key} (${where}) is "${texts.join(',')}", which is not possible`,
          zh: `${key}（${where}）的值 "${texts.join(',')}" 无效`,
        },
        remedy: error.said,
      });
      return undefined;
    }
  }

  #unknown(key: string, where: string, section: Command | undefined): UsageProblem {
    const candidates = section === undefined ? this.#commands : [section];
    const nearest = candidates.map((command) => unknownKey(key, command)).find((name) => name !== undefined);
    const suggestion = nearest === undefined ? { en: '', zh: '' } : didYouMean(nearest);
    const owner = section === undefined ? undefined : `etcd-ops ${section.name}`;
    return {
      message: {
        en: `${key} (${where}) is no setting of ${owner ?? 'any command'}`,
        zh: `${key}（${where}）不是${owner === undefined ? '任何子命令' : ` ${owner} `}的设置`,
      },
      remedy: {
        en: `${suggestion.en}Keys are the names of flags without the dashes.`,
        zh: `${suggestion.zh}键名即去掉横线的参数名。`,
      },
    };
  }

  #whereOf(pair: Pair): string {
    const key = pair.key;
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    return `${this.#name}, line ${this.#lines.linePos(offset).line}`;
  }
}

function notYaml(name: string, line: number, { code, message }: YAMLError): Said {
  if (code === 'MULTIPLE_DOCS') {
    return {
      en: `${name}, line ${line}: a second document begins here, behind ---; one file holds one`,
      zh: `${name} 第 ${line} 行：--- 之后是第二个文档；一个文件只能有一个`,
    };
  }
  const said = message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
  return { en: `${name}, line ${line} is no YAML: ${said}`, zh: `${name} 第 ${line} 行不是合法的 YAML：${said}` };
}

/** As it was written: `0123` and `1e3` stay what they are, and the flag's own parser decides. */
function scalarText(scalar: Scalar): string {
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));
}

/** A scalar or a list of scalars, as the texts that the flag's own parser reads; undefined for anything else. */
function textsOf(node: unknown): string[] | undefined {
  if (isScalar(node)) return node.value === null ? undefined : [scalarText(node)];
  if (!isSeq(node)) return undefined;
  const texts = node.items.map((item) => (isScalar(item) && item.value !== null ? scalarText(item) : undefined));
  return texts.every((text) => text !== undefined) ? texts : undefined;
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(resolve(path));
    if (bytes.length > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError([
      {
        message: {
          en: `The configuration file ${path} cannot be read: ${reason}`,
          zh: `无法读取配置文件 ${path}：${systemErrorZh(error) ?? reason}`,
        },
        remedy: {
          en: 'Check the path given with --config or ETCD_OPS_CONFIG, and who may read it.',
          zh: '请检查 --config 或 ETCD_OPS_CONFIG 给出的路径及其读权限。',
        },
      },
    ]);
  }
}
