import type { ObjectInfo } from './object-store.ts';

/** How names stand in a list: encoded as in an URL (OSS is asked for that), or as XML has them. */
export type ListedNames = 'url' | 'xml';

export interface ListPage {
  objects: ObjectInfo[];
  /** Asks for the following page. */
  next?: string | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** An ampersand that begins nothing matches too, without a group. */
const ENTITY = /&(?:#(\d{1,7});|#x([0-9A-Fa-f]{1,6});|(\w{2,4});)?/g;

/**
 * A page of a list (S3's ListObjectsV2 and that of OSS), taken out of its XML by hand: general parsers need several times as long, and a repository
 * is listed often.
 * @throws Error when it is no list, or not one as these services write it.
 */
export function parseListPage(body: Buffer, names: ListedNames): ListPage {
  const text = body.toString(names === 'url' ? 'latin1' : 'utf8');
  if (!text.includes('<ListBucketResult') || !text.trimEnd().endsWith('</ListBucketResult>')) {
    throw new Error('this is no list of objects');
  }
  const objects: ObjectInfo[] = [];
  let at = text.indexOf('<Contents>');
  const head = at < 0 ? text : text.slice(0, at);
  let tail = head;
  while (at >= 0) {
    const end = text.indexOf('</Contents>', at);
    if (end < 0) throw new Error('an object of the list has no end');
    objects.push(parseObject(text.slice(at, end), names));
    at = text.indexOf('<Contents>', end);
    if (at < 0) tail = head + text.slice(end);
  }
  // What is told of the whole page stands before the objects, or behind them.
  if (element(tail, 'IsTruncated') !== 'true') return { objects };
  const next = element(tail, 'NextContinuationToken');
  if (next === undefined || next === '') throw new Error('a list that goes on does not say where');
  return { objects, next: names === 'xml' ? decodeEntities(next) : next };
}

function parseObject(text: string, names: ListedNames): ObjectInfo {
  const [name, size, modified] = [element(text, 'Key'), element(text, 'Size'), element(text, 'LastModified')];
  const bytes = Number(size);
  const modifiedAtMs = Date.parse(modified ?? '');
  if (name === undefined || size === undefined || !Number.isSafeInteger(bytes) || Number.isNaN(modifiedAtMs)) {
    throw new Error('an object of the list lacks its name, size or time');
  }
  const key = names === 'url' ? decodeUrlName(name) : decodeEntities(name);
  return { key, bytes, modifiedAtMs: wholeSeconds(modifiedAtMs) };
}

/** As coarse as the header of a single object, so that both say the same. */
export function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

function element(text: string, name: string): string | undefined {
  const begin = text.indexOf(`<${name}>`);
  if (begin < 0) return undefined;
  const from = begin + name.length + 2;
  const end = text.indexOf(`</${name}>`, from);
  return end < 0 ? undefined : text.slice(from, end);
}

/** A name as `encoding-type=url` makes it. */
export function decodeUrlName(name: string): string {
  return /[%+]/.test(name) ? decodeURIComponent(name.replaceAll('+', '%20')) : name;
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(ENTITY, (_, decimal?: string, hex?: string, word?: string) => {
    const known = word === undefined ? undefined : ENTITIES[word];
    if (known !== undefined) return known;
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    if (Number.isNaN(code) || code > 0x10_ff_ff) throw new Error(`the list holds what is no XML: ${text}`);
    return String.fromCodePoint(code);
  });
}
