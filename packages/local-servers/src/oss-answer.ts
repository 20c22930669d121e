/** An answer before it is written to the wire. */
export interface OssAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** A refusal in OSS's own words: `code` and `message` as its documentation lists them. */
export class OssRefusal extends Error {
  override readonly name = 'OssRefusal';
  readonly status: number;
  readonly code: string;
  /** Further elements of the answer, such as `Endpoint`. */
  readonly details: Record<string, string>;

  constructor(status: number, code: string, message: string, details: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export function emptyAnswer(status: number, headers: Record<string, string> = {}): OssAnswer {
  return { status, headers, body: Buffer.alloc(0) };
}

export function xmlAnswer(root: string, elements: string[], headers: Record<string, string> = {}): OssAnswer {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>\n${elements.join('\n')}\n</${root}>\n`;
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: Buffer.from(text) };
}

/** A refusal carries its code and the request's id; that of a HEAD has no body and carries all of it in `x-oss-err`. */
export function refusalAnswer(
  { status, code, message, details }: OssRefusal,
  { head, requestId, host }: { head: boolean; requestId: string; host: string },
): OssAnswer {
  const elements = [element('Code', code), element('Message', message), element('RequestId', requestId)];
  elements.push(element('HostId', host), ...Object.entries(details).map(([name, value]) => element(name, value)));
  const answer = { ...xmlAnswer('Error', elements), status };
  if (!head) return answer;
  return emptyAnswer(status, { 'x-oss-err': answer.body.toString('base64') });
}

export function element(name: string, text: string | number): string {
  return `<${name}>${escapeXml(String(text))}</${name}>`;
}

/** The texts of all elements of that name, in their order. Enough for the two bodies that clients send. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, 'g'))].map((match) => match[1] ?? '');
}

export function unescapeXml(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#34;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
