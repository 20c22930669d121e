import { ProtoError, readProto } from '../datadir/proto-reader.ts';

/** Keys that users of etcd's old API have; its own bookkeeping (`/0`) does not count. */
export interface V2Keys {
  keys: number;
  /** Some of them, for a message. */
  examples: string[];
}

const EXAMPLES_MAX = 3;
/** Where the v2 store keeps users' keys. Source: etcd server/etcdserver, StoreKeysPrefix. */
const USER_ROOT = '1';
const WRITES = new Set(['PUT', 'POST', 'DELETE']);

interface V2Node {
  Children?: unknown;
}

/**
 * Counts the users' keys in the JSON of a v2 store, as a raft snapshot holds it.
 * Source: etcd server/etcdserver/api/v2store/node.go: a directory has `Children`, a key has null there.
 */
export function v2KeysOf(json: Buffer): V2Keys {
  const found: V2Keys = { keys: 0, examples: [] };
  if (json.length === 0) return found;
  const root = childrenOf(asNode(asNode(JSON.parse(json.toString('utf8')))['Root']));
  const open: { path: string; node: Record<string, unknown> }[] = [];
  if (root !== undefined && Object.hasOwn(root, USER_ROOT)) open.push({ path: '', node: asNode(root[USER_ROOT]) });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const children = childrenOf(next.node);
    if (children === undefined) {
      found.keys++;
      if (found.examples.length < EXAMPLES_MAX) found.examples.push(next.path);
      continue;
    }
    for (const [name, node] of Object.entries(children).toReversed()) {
      open.push({ path: `${next.path}/${name}`, node: asNode(node) });
    }
  }
  return found;
}

/**
 * The path of the key that a raft entry writes by the v2 API; undefined for all others. Such an entry is a plain
 * etcdserverpb.Request {1: id, 2: method, 3: path}, or field 2 of an InternalRaftRequest.
 */
export function v2WriteOf(data: Buffer): string | undefined {
  return pathOfRequest(data) ?? fieldsOf(data)?.flatMap(({ field, value }) => nested(field, value))[0];
}

function nested(field: number, value: bigint | Buffer): string[] {
  const path = field === 2 && typeof value !== 'bigint' ? pathOfRequest(value) : undefined;
  return path === undefined ? [] : [path];
}

function pathOfRequest(data: Buffer): string | undefined {
  const fields = fieldsOf(data);
  const text = (number: number): string => {
    const value = fields?.find(({ field }) => field === number)?.value;
    return typeof value === 'object' ? value.toString('utf8') : '';
  };
  const path = text(3);
  return WRITES.has(text(2)) && path.startsWith(`/${USER_ROOT}/`) ? path.slice(USER_ROOT.length + 1) : undefined;
}

function fieldsOf(data: Buffer): ReturnType<typeof readProto> | undefined {
  try {
    return readProto(data);
  } catch (error) {
    if (error instanceof ProtoError) return undefined;
    throw error;
  }
}

function childrenOf(node: V2Node): Record<string, unknown> | undefined {
  const children = node.Children;
  return children === null || children === undefined ? undefined : asNode(children);
}

function asNode(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new ProtoError('the v2 store has not the shape of one');
  return value as Record<string, unknown>;
}
