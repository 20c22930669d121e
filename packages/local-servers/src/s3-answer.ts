import { element, emptyAnswer, xmlAnswer, type OssAnswer } from './oss-answer.ts';

/** Both services answer in the same forms. */
export type S3Answer = OssAnswer;

/** A refusal in S3's own words: `code` and `message` as its documentation lists them. */
export class S3Refusal extends Error {
  override readonly name = 'S3Refusal';
  readonly status: number;
  readonly code: string;
  /** Further elements of the answer. */
  readonly details: Record<string, string>;

  constructor(status: number, code: string, message: string, details: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** That of a HEAD has a status and nothing else. */
export function s3RefusalAnswer(
  { status, code, message, details }: S3Refusal,
  { head, requestId }: { head: boolean; requestId: string },
): S3Answer {
  if (head) return emptyAnswer(status);
  const elements = [element('Code', code), element('Message', message), element('RequestId', requestId)];
  elements.push(...Object.entries(details).map(([name, value]) => element(name, value)));
  const { headers, body } = xmlAnswer('Error', elements);
  // Clients look at the very end of an answer of status 200 to find an error in it.
  return { status, headers, body: Buffer.from(body.toString().trimEnd()) };
}
