import { ERROR_CODES, EtcdOpsError } from '@etcd-ops/core';
import type { Language } from '../help/language.ts';
import { UsageError, type UsageProblem } from '../options/usage-error.ts';
import { saidOf } from '../options/said-of.ts';
import { FAILURES_ZH } from './sentences-zh.ts';
import { tellIn, tellInEnglish, type ToldFailure } from './tell-failure.ts';

const UNEXPECTED_EXIT_CODE = 1;

export interface FailureAudience {
  language: Language;
  /** `json`: one document a line on standard error, for programs. */
  format: 'text' | 'json';
}

/** One failure, told: `localized` is there when the user's language is not English. */
export interface FailureDocument extends ToldFailure {
  code: string;
  exitCode: number;
  /** Whether the same call may succeed later without anybody changing anything. */
  retriable: boolean;
  /** Of a wrong command line or configuration file: each mistake. */
  problems?: { message: string; remedy: string }[];
  localized?: ToldFailure & { language: Language };
}

/** Prints what happened, why and what to do; answers with the exit code that belongs to it. */
export function reportFailure(
  error: unknown,
  output: { write(text: string): unknown },
  audience: FailureAudience = { language: 'en', format: 'text' },
): number {
  if (audience.format === 'json') {
    const document = failureDocument(error, audience.language);
    output.write(`${JSON.stringify({ error: document })}\n`);
    return document.exitCode;
  }
  const zh = audience.language === 'zh';
  if (error instanceof UsageError) {
    output.write(zh ? usageTextZh(error.problems) : usageText(error.problems));
    return ERROR_CODES.USAGE.exit;
  }
  if (!(error instanceof EtcdOpsError)) {
    output.write(zh ? unexpectedTextZh(error) : unexpectedText(error));
    return UNEXPECTED_EXIT_CODE;
  }
  const english = tellInEnglish(error);
  const told = tellIn(audience.language, error);
  output.write(told === undefined ? failureText(error, english) : failureTextZh(error, { told, english }));
  return error.exitCode;
}

function failureText({ code, exitCode }: EtcdOpsError, { message, why, remedy }: ToldFailure): string {
  return `etcd-ops: ${message}\n  why: ${why}\n  do:  ${remedy}\n  (${code}, exit code ${exitCode})\n`;
}

/** The message as it was thrown follows: it holds what no other language has parameters for, and is what others have written about. */
function failureTextZh(
  { code, exitCode }: EtcdOpsError,
  { told, english }: { told: ToldFailure; english: ToldFailure },
): string {
  const own = english.remedy === ERROR_CODES[code].remedy ? '' : ` ${english.remedy}`;
  const detail = `${/[.!?]$/.test(english.message) || own === '' ? english.message : `${english.message}.`}${own}`;
  return `etcd-ops: ${told.message}\n  原因: ${told.why}\n  处理: ${told.remedy}\n  详情: ${detail}\n  (${code}，退出码 ${exitCode})\n`;
}

/** The mistakes of a command line, in one language. */
function mistakesIn(problems: readonly UsageProblem[], language: Language): { message: string; remedy: string }[] {
  const general = language === 'zh' ? String(FAILURES_ZH.USAGE.remedy) : ERROR_CODES.USAGE.remedy;
  return problems.map(({ message, remedy }) => ({
    message: saidOf(message, language),
    remedy: remedy === undefined ? general : saidOf(remedy, language),
  }));
}

function usageText(problems: readonly UsageProblem[]): string {
  const { cause, exit } = ERROR_CODES.USAGE;
  const all = mistakesIn(problems, 'en');
  const end = `  (USAGE, exit code ${exit})\n`;
  const [only] = all;
  if (all.length === 1 && only !== undefined) {
    return `etcd-ops: ${only.message}\n  why: ${cause}\n  do:  ${only.remedy}\n${end}`;
  }
  const lines = all.map(({ message, remedy }) => `  - ${message}\n    do: ${remedy}\n`);
  return `etcd-ops: ${all.length} settings are wrong\n${lines.join('')}${end}`;
}

function usageTextZh(problems: readonly UsageProblem[]): string {
  const all = mistakesIn(problems, 'zh');
  const end = `  (USAGE，退出码 ${ERROR_CODES.USAGE.exit})\n`;
  const [only] = all;
  if (all.length === 1 && only !== undefined) {
    return `etcd-ops: ${only.message}\n  原因: ${FAILURES_ZH.USAGE.why}\n  处理: ${only.remedy}\n${end}`;
  }
  const lines = all.map(({ message, remedy }) => `  - ${message}\n    处理: ${remedy}\n`);
  return `etcd-ops: 有 ${all.length} 处设置有误\n${lines.join('')}${end}`;
}

/** A bug, and said so: the stack is for whoever repairs it. */
function unexpectedText(error: unknown): string {
  return `etcd-ops: Something happened that etcd-ops does not know\n  why: ${stackOf(error)}\n  do:  Run it again; if it recurs, report these lines. Nothing that was stored has been changed.\n  (unexpected, exit code ${UNEXPECTED_EXIT_CODE})\n`;
}

function unexpectedTextZh(error: unknown): string {
  return `etcd-ops: 发生了 etcd-ops 未预料的错误\n  原因: ${stackOf(error)}\n  处理: 请重试；若反复出现，请反馈以上内容。已保存的内容未被改动。\n  (unexpected，退出码 ${UNEXPECTED_EXIT_CODE})\n`;
}

function stackOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.split('\n').join('\n       ');
}

function failureDocument(error: unknown, language: Language): FailureDocument {
  if (error instanceof UsageError) return usageDocument(error.problems, language);
  if (!(error instanceof EtcdOpsError)) {
    const message = 'Something happened that etcd-ops does not know';
    const remedy = 'Run it again; if it recurs, report these lines.';
    return {
      code: 'UNEXPECTED',
      exitCode: UNEXPECTED_EXIT_CODE,
      message,
      why: stackOf(error),
      remedy,
      retriable: false,
    };
  }
  const { code, exitCode, retriable } = error;
  const localized = tellIn(language, error);
  return {
    code,
    exitCode,
    ...tellInEnglish(error),
    retriable,
    ...(localized === undefined ? {} : { localized: { language, ...localized } }),
  };
}

function usageDocument(problems: readonly UsageProblem[], language: Language): FailureDocument {
  const { exit, cause, remedy } = ERROR_CODES.USAGE;
  const english = mistakesIn(problems, 'en');
  const local = mistakesIn(problems, language);
  const all = (list: readonly { message: string }[]): string => list.map(({ message }) => message).join('; ');
  return {
    code: 'USAGE',
    exitCode: exit,
    message: all(english),
    why: cause,
    remedy: english.length === 1 ? english[0]!.remedy : remedy,
    retriable: false,
    problems: english,
    ...(language === 'en'
      ? {}
      : {
          localized: {
            language,
            message: all(local),
            why: FAILURES_ZH.USAGE.why,
            remedy: local.length === 1 ? local[0]!.remedy : String(FAILURES_ZH.USAGE.remedy),
          },
        }),
  };
}
