import { EtcdOpsError } from '../base/errors.ts';

/** One member of the cluster that a restore makes: its name and the peer URLs it advertises. */
export interface MemberSpec {
  name: string;
  /** Normalised as Go prints them, in ascending order. */
  peerUrls: string[];
}

const NAME_BYTES_MAX = 1024;
const MEMBERS_MAX = 1000;
// Host names and IPv4 addresses, or an IPv6 address in brackets with an optional zone (`%25eth0`).
const HTTP_URL = /^(https?):\/\/((?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]):[0-9]+)$/i;
const UNIX_URL = /^(unixs?):\/\/([A-Za-z0-9._~-]*(?::[0-9]+)?(?:\/[A-Za-z0-9._~/:@!$'()*+;=-]*)?)$/i;

/**
 * Parses `m1=http://a:2380,m2=http://b:2380` with the meaning that etcd gives to `--initial-cluster`: a name may repeat to
 * give a member several URLs, empty parts are skipped, URLs are sorted, none may be there twice. Members keep the order of
 * their first mention. Stricter than etcd where it would accept what no peer can dial (no host or port, user, query).
 *
 * @throws EtcdOpsError USAGE naming the part that is wrong.
 */
export function parseInitialCluster(text: string): MemberSpec[] {
  const urlsByName = new Map<string, string[]>();
  for (const part of text.split(',')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 0) throw usage(`'${part}' lacks its peer URL; write it as name=http://host:2380`);
    const name = part.slice(0, equals);
    const urls = urlsByName.get(name) ?? [];
    urls.push(part.slice(equals + 1));
    urlsByName.set(name, urls);
  }
  return checkMemberSpecs([...urlsByName].map(([name, peerUrls]) => ({ name, peerUrls })));
}

/** Checks and normalises members that were given as objects; parseInitialCluster ends here too. */
export function checkMemberSpecs(specs: readonly MemberSpec[]): MemberSpec[] {
  if (specs.length === 0) throw usage('it names no member');
  if (specs.length > MEMBERS_MAX) throw usage(`it names ${specs.length} members; ${MEMBERS_MAX} is the limit`);
  const names = new Set<string>();
  const seenUrls = new Set<string>();
  return specs.map((spec) => {
    checkName(spec.name);
    if (names.has(spec.name)) throw usage(`the member '${spec.name}' is there twice`);
    names.add(spec.name);
    if (spec.peerUrls.length === 0) throw usage(`the member '${spec.name}' has no peer URL`);
    const peerUrls = spec.peerUrls.map((url) => normalisePeerUrl(spec.name, url)).sort(compareUtf8);
    for (const url of peerUrls) {
      if (seenUrls.has(url)) throw usage(`the peer URL ${url} is there twice`);
      seenUrls.add(url);
    }
    return { name: spec.name, peerUrls };
  });
}

function checkName(name: string): void {
  if (name === '') throw usage('a member has an empty name');
  if (!name.isWellFormed() || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw usage(`a member's name must be at most ${NAME_BYTES_MAX} bytes of UTF-8`);
  }
  // oxlint-disable-next-line no-control-regex -- Go releases escape control characters differently, and nobody means them.
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    throw usage(`the member name ${JSON.stringify(name)} holds a control character`);
  }
  if (name.includes(',') || name.includes('=')) throw usage(`the member name '${name}' must not hold ',' or '='`);
}

function normalisePeerUrl(name: string, text: string): string {
  const url = text.trim();
  const match = HTTP_URL.exec(url) ?? UNIX_URL.exec(url);
  // Go lower-cases the scheme and leaves the host as it was written.
  if (match !== null && match[2] !== '') return `${match[1]!.toLowerCase()}://${match[2]!}`;
  const subject = `the peer URL '${url}' of '${name}'`;
  if (!/^(https?|unixs?):\/\//i.test(url)) {
    throw usage(`${subject} must begin with http://, https://, unix:// or unixs://`);
  }
  if (/^https?:\/\/[^/?#]+\//i.test(url)) throw usage(`${subject} must not have a path`);
  if (/[@?#]/.test(url)) throw usage(`${subject} must not have a user, query or fragment`);
  throw usage(`${subject} must have the form http://host:port`);
}

function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function usage(rule: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', {
    message: `Initial cluster: ${rule}`,
    remedy: 'Give every member as name=peer-URL, separated by commas, the same text for every member.',
  });
}
