import { describeError, ERROR_CODES, type EtcdOpsError } from '@etcd-ops/core';
import type { Language } from '../help/language.ts';
import { oneLine } from '../output/one-line.ts';
import { say } from './sentence.ts';
import { FAILURES_ZH } from './sentences-zh.ts';
import { systemErrorZh } from './system-errors-zh.ts';

/** What happened, why, what to do: in one language. */
export interface ToldFailure {
  message: string;
  why: string;
  remedy: string;
}

/** As it was thrown: everything in it is in English. */
export function tellInEnglish(error: EtcdOpsError): ToldFailure {
  return {
    message: oneLine(error.message),
    why: oneLine(reasonOf(error) ?? ERROR_CODES[error.code].cause),
    remedy: sentence(oneLine(error.remedy)),
  };
}

/** By code, with the facts that the failure carries; undefined for English. */
export function tellIn(language: Language, error: EtcdOpsError): ToldFailure | undefined {
  if (language === 'en') return undefined;
  const { what, why, remedy } = FAILURES_ZH[error.code];
  const system = systemReason(error);
  return {
    message: say(what, error.facts),
    why: system === undefined ? why : `${why.replace(/。$/, '')}：${system}。`,
    remedy: say(remedy, error.facts),
  };
}

/** The innermost cause that the message does not tell already. */
function reasonOf(error: EtcdOpsError): string | undefined {
  const told = oneLine(error.message);
  const reasons: string[] = [];
  for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    reasons.push(oneLine(cause instanceof Error ? cause.message : describeError(cause)));
  }
  return reasons.findLast((reason) => reason !== '' && !told.includes(reason) && !OPENSSL_LINE.test(reason));
}

/** `40CDC992F17F0000:error:0A00045C:SSL routines:...`: whoever wrote the message has translated it. */
const OPENSSL_LINE = /^[0-9A-F]+:error:/;

/** Of the innermost cause that is a failure of the system. */
function systemReason(error: Error): string | undefined {
  let found: string | undefined;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    found = systemErrorZh(cause) ?? found;
  }
  return found;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
