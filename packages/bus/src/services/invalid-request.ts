import { nearestName } from '@etcd-ops/core';
import { z } from 'zod';
import { API_NAME, apiSubject } from '../names.ts';
import type { ApiErrorBody } from './api-error.ts';

const ISSUES_MAX = 20;
const NAMES_MAX = 5;

/** What is wrong with a request, and what to write instead. */
export function invalidRequest(
  error: z.ZodError,
  { name, request }: { name: string; request: z.ZodType },
): ApiErrorBody {
  const issues = error.issues
    .slice(0, ISSUES_MAX)
    .map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const first = issues[0] === undefined ? '' : `: ${issues[0].path} ${issues[0].message}`.replace(':  ', ': ');
  const remedy = [
    ...meant(error, request),
    `docs/MESSAGES.md lists the fields of ${apiSubject(name)}, and \`nats micro info ${API_NAME}\` shows their schema.`,
  ].join(' ');
  return { error: { code: 'USAGE', message: `The request is not valid${first}`, remedy, issues } };
}

/** Of fields that nobody knows: those that may have been meant. */
function meant(error: z.ZodError, request: z.ZodType): string[] {
  if (!(request instanceof z.ZodObject)) return [];
  const known = Object.keys(request.shape);
  return error.issues
    .flatMap((issue) => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : []))
    .slice(0, NAMES_MAX)
    .flatMap((key) => nearestName(key, known) ?? [])
    .map((name) => `Did you mean ${name}?`);
}
