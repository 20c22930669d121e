import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  createUserKey,
  publicKeyOf,
  renderAccounts,
  renderServer,
  ROLES,
  type Credential,
  type Role,
  type TlsFiles,
} from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { emitText } from '../output/emit.ts';

export interface NatsConfigOptions {
  dir: string;
  usersDir?: string;
  auth: 'password' | 'nkey';
  node?: string[];
  rotate?: string[];
  storeDir: string;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  verifyClients: boolean;
}

const CLIENT_PORT = 4222;
const CLUSTER_PORT = 6222;
const MONITOR_PORT = 8222;
const PASSWORD_BYTES = 24;
const COMMENT = ['Made by `etcd-ops nats-config`: two accounts, and for each role no more than its work needs.'];

/**
 * Writes what nats-server is started with, and one secret for each role. Secrets that are there already stay, so that it can be run again
 * after an update: then only the rights change.
 *
 * @throws EtcdOpsError USAGE, DISK_FAILED.
 */
export async function writeNatsConfig(options: NatsConfigOptions): Promise<void> {
  const { dir, auth, rotate = [] } = options;
  const nodes = (options.node ?? ['nats=127.0.0.1']).map(parseNode);
  const tls = tlsOf(options);
  const unknown = rotate.filter((name) => ROLES.every((role) => role.name !== name));
  if (unknown.length > 0) {
    throw new EtcdOpsError('USAGE', {
      message: `There is no role ${unknown.join(', ')}`,
      remedy: `Roles are ${ROLES.map(({ name }) => name).join(', ')}.`,
    });
  }
  const usersDir = options.usersDir ?? join(dir, 'users');
  const credentials = new Map<Role, Credential>();
  for (const role of ROLES) {
    credentials.set(role, await credentialOf(join(usersDir, role.name), auth, rotate.includes(role.name)));
  }
  const accounts = renderAccounts({ credentialOf: (role) => credentials.get(role)!, comment: COMMENT });
  // With passwords it is a secret; public keys may be read by anybody.
  await write(join(dir, 'accounts.conf'), accounts, auth === 'password' ? 0o600 : 0o644);
  for (const node of nodes) {
    const server = renderServer({
      name: node.name,
      listen: `0.0.0.0:${CLIENT_PORT}`,
      monitorListen: `0.0.0.0:${MONITOR_PORT}`,
      storeDir: options.storeDir,
      accountsFile: 'accounts.conf',
      ...(tls === undefined ? {} : { tls: { ...named(tls, node.name), verifyClients: options.verifyClients } }),
      ...(nodes.length === 1 ? {} : { cluster: clusterOf(node.name, nodes, tls) }),
    });
    await write(join(dir, nodes.length === 1 ? 'nats-server.conf' : `${node.name}.conf`), server, 0o644);
  }
  emitText(`${dir}: ${nodes.length === 1 ? 'one server' : `${nodes.length} servers`}, ${ROLES.length} users (${auth})`);
}

interface Node {
  name: string;
  host: string;
}

function parseNode(text: string): Node {
  const [, name, host] = /^([A-Za-z0-9_-]{1,64})=([A-Za-z0-9._-]{1,253})$/.exec(text) ?? [];
  if (name !== undefined && host !== undefined) return { name, host };
  throw new EtcdOpsError('USAGE', {
    message: `${JSON.stringify(text)} is no node`,
    remedy: 'Give each as name=host: --node n1=10.0.0.1,n2=10.0.0.2,n3=10.0.0.3.',
  });
}

function clusterOf(name: string, nodes: readonly Node[], tls: TlsFiles | undefined) {
  const scheme = tls === undefined ? 'nats-route' : 'tls';
  return {
    listen: `0.0.0.0:${CLUSTER_PORT}`,
    routes: nodes.filter((node) => node.name !== name).map(({ host }) => `${scheme}://${host}:${CLUSTER_PORT}`),
    ...(tls === undefined ? {} : { tls: named(tls, name) }),
  };
}

function tlsOf({ tlsCa, tlsCert, tlsKey, verifyClients }: NatsConfigOptions): TlsFiles | undefined {
  if (tlsCa !== undefined && tlsCert !== undefined && tlsKey !== undefined) {
    return { caFile: tlsCa, certFile: tlsCert, keyFile: tlsKey };
  }
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined && !verifyClients) return undefined;
  throw new EtcdOpsError('USAGE', {
    message: 'TLS needs --tls-ca, --tls-cert and --tls-key together',
    remedy: 'Give all three as paths on the hosts of NATS; {name} in them is the name of the node.',
  });
}

function named({ caFile, certFile, keyFile }: TlsFiles, node: string): TlsFiles {
  const [ca, cert, key] = [caFile, certFile, keyFile].map((path) => path.replaceAll('{name}', node));
  return { caFile: ca!, certFile: cert!, keyFile: key! };
}

async function credentialOf(directory: string, auth: 'password' | 'nkey', rotate: boolean): Promise<Credential> {
  const path = join(directory, auth === 'password' ? 'password' : 'user.nk');
  const found = rotate ? undefined : await readIfThere(path);
  if (auth === 'password') {
    const password = found ?? randomBytes(PASSWORD_BYTES).toString('base64url');
    if (found === undefined) await write(path, `${password}\n`, 0o600);
    return { password: JSON.stringify(password) };
  }
  if (found !== undefined) return { nkey: publicKeyOf(found) };
  const { seed, publicKey } = createUserKey();
  await write(path, `${seed}\n`, 0o600);
  return { nkey: publicKey };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw failed(path, error);
  }
}

/** Whole or not at all: a server may be reading it. */
async function write(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.part`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rm(temporary, { force: true });
    await writeFile(temporary, text, { mode, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    throw failed(path, error);
  }
}

function failed(path: string, cause: unknown): EtcdOpsError {
  return new EtcdOpsError('DISK_FAILED', { message: `Cannot write ${path}`, cause });
}
