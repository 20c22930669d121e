import { runEtcdctl } from '@etcd-ops/test-kit';

/** What two etcds of equal content answer alike. */
export interface EtcdFacts {
  revision: number;
  hash: number;
  compactRevision: number;
  /** Every key with revisions, version, lease and value, as etcdctl prints them. */
  keys: unknown[];
  leases: { id: string; ttlSeconds: number; keys: number }[];
}

/** Long ones are strings, see bigJson. */
type JsonNumber = number | string;

interface Cluster {
  version: string;
  endpoints: readonly string[];
}

/** Asks one member; `revision` 0 is the newest. */
export async function factsOf({ version }: Cluster, endpoint: string): Promise<EtcdFacts> {
  const ask = async (...args: string[]): Promise<string> =>
    await runEtcdctl({ version, endpoints: [endpoint] }, ...args);
  const [hashed] = bigJson(await ask('endpoint', 'hashkv', '--write-out=json')) as [
    { HashKV: { header: { revision: JsonNumber }; hash: JsonNumber; compact_revision: JsonNumber } },
  ];
  const range = bigJson(await ask('get', '', '--prefix', '--write-out=json')) as { kvs?: unknown[] };
  return {
    revision: Number(hashed.HashKV.header.revision),
    hash: Number(hashed.HashKV.hash),
    compactRevision: Number(hashed.HashKV.compact_revision),
    keys: range.kvs ?? [],
    leases: await leasesOf(ask),
  };
}

async function leasesOf(ask: (...args: string[]) => Promise<string>): Promise<EtcdFacts['leases']> {
  const listed = bigJson(await ask('lease', 'list', '--write-out=json')) as { leases?: { id: string }[] };
  const leases: EtcdFacts['leases'] = [];
  for (const { id } of listed.leases ?? []) {
    const hex = BigInt.asUintN(64, BigInt(id)).toString(16);
    // etcdctl parses ids as signed: negative ones cannot be asked for by it.
    if (BigInt(id) < 0n) {
      leases.push({ id: hex, ttlSeconds: -1, keys: -1 });
      continue;
    }
    const text = await ask('lease', 'timetolive', hex, '--keys', '--write-out=json');
    const facts = bigJson(text) as { 'granted-ttl': JsonNumber; keys?: unknown[] };
    leases.push({ id: hex, ttlSeconds: Number(facts['granted-ttl']), keys: facts.keys?.length ?? 0 });
  }
  return leases.toSorted((left, right) => (left.id < right.id ? -1 : 1));
}

/** JSON whose ids and revisions are above 2^53: every long number becomes a string. */
function bigJson(text: string): unknown {
  return JSON.parse(text.replaceAll(/([:[,]\s*)(-?\d{10,})(?=\s*[,}\]])/g, '$1"$2"'));
}
