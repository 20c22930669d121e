import type { Language, Said } from '../help/language.ts';

/** A text for people; one that was not written in the language asked for is told as it is. */
export function saidOf(text: string | Said, language: Language): string {
  return typeof text === 'string' ? text : text[language];
}
