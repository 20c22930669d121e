const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * How many of `others` come before `own` for a key: rendezvous hashing, so that all who know the same names agree, each comes first for
 * as many keys as any other, and for one that goes the rest stays as it was.
 */
export function rankOf(key: string, own: string, others: Iterable<string>): number {
  const score = scoreOf(key, own);
  let before = 0;
  for (const other of others) {
    const theirs = scoreOf(key, other);
    if (theirs > score || (theirs === score && other > own)) before++;
  }
  return before;
}

/** FNV-1a, and a finish that spreads names which differ in their last letters only. */
function scoreOf(key: string, name: string): number {
  let hash = fnv1a(fnv1a(FNV_OFFSET, name), key);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function fnv1a(start: number, text: string): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash;
}
