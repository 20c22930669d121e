import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../commands/command-list.ts';
import { flagsOf } from '../options/flag-index.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { type Language, languageOf } from './language.ts';
import { displayWidth, wrap } from './layout.ts';
import { renderCommandHelp, renderProgramHelp } from './render-help.ts';

const WIDTH = 100;

function pages(language: Language): string[] {
  const options = { language, width: WIDTH };
  return [
    renderProgramHelp(COMMANDS, '0.0.0', options),
    ...COMMANDS.map((command) => renderCommandHelp(command, options)),
  ];
}

describe.each(['en', 'zh'] as const)('help in %s', (language) => {
  test('is what was agreed on (vitest -u after a change that is meant)', async () => {
    const text = pages(language).join(`${'='.repeat(WIDTH)}\n`);
    await expect(text).toMatchFileSnapshot(join(import.meta.dirname, 'fixtures', `help.${language}.txt`));
  });

  test('fits its width, but for commands that are to be copied and for single long words', () => {
    for (const line of pages(language).join('\n').split('\n')) {
      if (/^ {2}\S*(etcd-ops|ETCD_OPS)/.test(line) || line.startsWith('  source')) continue;
      expect(displayWidth(line), line).toBeLessThanOrEqual(WIDTH + 1);
    }
  });

  test('names every flag of every command', () => {
    for (const command of COMMANDS) {
      const page = renderCommandHelp(command, { language, width: WIDTH });
      for (const { name } of flagsOf(command)) expect(page, command.name).toContain(`--${name}`);
    }
  });
});

test('each flag is said in both languages, without a full stop', () => {
  for (const command of COMMANDS) {
    for (const { name, flag } of flagsOf(command)) {
      expect(flag.en, name).toMatch(/^\S.*([^.]|\.\.\.)$/);
      expect(flag.zh, name).toMatch(/^\S.*([^.]|\.\.\.)$/);
    }
    expect(command.summary.en).toMatch(/^[a-z].*[^.]$/);
    expect(command.description.en).toMatch(/\.$/);
    expect(command.description.zh).toMatch(/。$/);
    expect(command.examples.length, command.name).toBeGreaterThan(0);
    for (const code of command.exitCodes ?? []) expect(EXIT_CODES).toHaveProperty(String(code));
  }
});

test.each([
  { environment: {}, is: 'en' },
  { environment: { LANG: 'en_US.UTF-8' }, is: 'en' },
  { environment: { LANG: 'zh_CN.UTF-8' }, is: 'zh' },
  { environment: { LANG: 'zh_TW' }, is: 'zh' },
  { environment: { LANG: 'zh_CN.UTF-8', LC_ALL: 'C' }, is: 'en' },
  { environment: { LANG: 'de_DE.UTF-8', LC_ALL: 'zh_CN.UTF-8' }, is: 'zh' },
  { environment: { LANG: 'zh_CN.UTF-8', LC_ALL: '' }, is: 'zh' },
])('$environment speaks $is', ({ environment, is }) => {
  expect(languageOf(environment)).toBe(is);
});

test('text is broken between words, and between Chinese characters but not before a full stop', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
  expect(wrap('unbreakable', 4)).toEqual(['unbreakable']);
  expect(wrap('备份存放位置。', 12)).toEqual(['备份存放位置。']);
});
