/** A text for people, in both languages of this tool. */
export interface Said {
  readonly en: string;
  readonly zh: string;
}

export type Language = keyof Said;

/** By the POSIX order of the locale variables: Chinese for zh_*, English for everything else. */
export function languageOf(environment: Readonly<Record<string, string | undefined>>): Language {
  const locale = [environment['LC_ALL'], environment['LC_MESSAGES'], environment['LANG']].find(
    (value) => value !== undefined && value !== '',
  );
  return locale !== undefined && /^zh/i.test(locale) ? 'zh' : 'en';
}
