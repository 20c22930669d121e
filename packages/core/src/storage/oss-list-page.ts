import type { ObjectInfo } from './object-store.ts';

/**
 * A page of a list, taken out of its XML by hand: the general parser of the SDK needs several times as long, and a repository is listed often. Names
 * come encoded (`encoding-type=url`), so that nothing in them is XML.
 * @throws Error when it is no list.
 */
export function parseOssListPage(body: Buffer): { objects: ObjectInfo[]; next?: string } {
  const text = body.toString('latin1');
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
    objects.push(parseObject(text.slice(at, end)));
    at = text.indexOf('<Contents>', end);
    if (at < 0) tail = head + text.slice(end);
  }
  // What is told of the whole page stands before the objects, or behind them.
  if (element(tail, 'IsTruncated') !== 'true') return { objects };
  const next = element(tail, 'NextContinuationToken');
  if (next === undefined || next === '') throw new Error('a list that goes on does not say where');
  return { objects, next };
}

function parseObject(text: string): ObjectInfo {
  const [name, size, modified] = [element(text, 'Key'), element(text, 'Size'), element(text, 'LastModified')];
  const bytes = Number(size);
  const modifiedAtMs = Date.parse(modified ?? '');
  if (name === undefined || size === undefined || !Number.isSafeInteger(bytes) || Number.isNaN(modifiedAtMs)) {
    throw new Error('an object of the list lacks its name, size or time');
  }
  return { key: decodeOssName(name), bytes, modifiedAtMs };
}

function element(text: string, name: string): string | undefined {
  const begin = text.indexOf(`<${name}>`);
  if (begin < 0) return undefined;
  const from = begin + name.length + 2;
  const end = text.indexOf(`</${name}>`, from);
  return end < 0 ? undefined : text.slice(from, end);
}

/** A name as `encoding-type=url` makes it. */
export function decodeOssName(name: string): string {
  return /[%+]/.test(name) ? decodeURIComponent(name.replaceAll('+', '%20')) : name;
}
