import type { FailureFacts } from '@etcd-ops/core';

/** A sentence, or one with the facts of the failure in it. */
export type Sentence = string | ((facts: FailureFacts) => string);

/** What a code means in another language than that of the messages. */
export interface FailureSentences {
  what: Sentence;
  why: string;
  remedy: Sentence;
}

/** `：x` behind a sentence when there is an x. */
export function at(...values: FailureFacts[string][]): string {
  const known = values.find((value) => value !== undefined && value !== '');
  return known === undefined ? '' : `：${known}`;
}

export function say(sentence: Sentence, facts: FailureFacts): string {
  return typeof sentence === 'string' ? sentence : sentence(facts);
}
