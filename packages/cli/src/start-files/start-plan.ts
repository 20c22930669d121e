import { EtcdOpsError, parseInitialCluster, type MemberSpec } from '@etcd-ops/core';

/** What a member is started with: one source for the unit, the configuration file, the environment file and the pod. */
export interface MemberStart {
  name: string;
  dataDir: string;
  /** When the log lives elsewhere. */
  walDir: string | undefined;
  listenPeerUrls: string[];
  listenClientUrls: string[];
  advertisePeerUrls: string[];
  advertiseClientUrls: string[];
  initialCluster: string;
  token: string;
  clientTls: TlsFiles | undefined;
  peerTls: TlsFiles | undefined;
  /** The etcd that wrote the backup, as far as it is known: `3.5.16` or `3.5`. */
  etcdVersion: string;
  owner: string | undefined;
}

export interface TlsFiles {
  caFile: string;
  certFile: string;
  keyFile: string;
}

export interface StartOptions {
  /** `m1=https://10.0.0.1:2379,...`; by default port 2379 of each member's first peer host. */
  clientUrls?: string | undefined;
  /** Certificates as the nodes have them; by default where kubeadm puts them. */
  cacert?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  owner?: string | undefined;
}

const CLIENT_PORT = 2379;
const KUBEADM_PKI = '/etc/kubernetes/pki/etcd';

/**
 * Works out what each member is started with. A member's URLs follow from the initial cluster; etcd listens on addresses only, so a host
 * name becomes 0.0.0.0.
 * @throws EtcdOpsError USAGE when two members would serve the same client URL, or --client-urls lacks one.
 */
export function planStart(
  input: {
    initialCluster: readonly MemberSpec[];
    token: string;
    members: readonly { spec: MemberSpec; dataDir: string; walDir?: string | undefined }[];
    etcdVersion: string;
  },
  options: StartOptions,
): MemberStart[] {
  const clientUrls = clientUrlsOf(input.initialCluster, options.clientUrls);
  const initialCluster = input.initialCluster
    .flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`))
    .join(',');
  return input.members.map(({ spec, dataDir, walDir }) => {
    const advertiseClientUrls = clientUrls.get(spec.name)!;
    return {
      name: spec.name,
      dataDir,
      walDir,
      listenPeerUrls: spec.peerUrls.map(listenable),
      listenClientUrls: withLoopback(advertiseClientUrls.map(listenable)),
      advertisePeerUrls: spec.peerUrls,
      advertiseClientUrls,
      initialCluster,
      token: input.token,
      clientTls: isSecure(advertiseClientUrls) ? tlsFiles('server', options) : undefined,
      peerTls: isSecure(spec.peerUrls) ? tlsFiles('peer', options) : undefined,
      etcdVersion: input.etcdVersion,
      owner: options.owner,
    };
  });
}

function clientUrlsOf(members: readonly MemberSpec[], given: string | undefined): Map<string, string[]> {
  const urls = new Map<string, string[]>();
  const said = new Map(given === undefined ? [] : parseClientUrls(given).map((one) => [one.name, one.peerUrls]));
  for (const { name, peerUrls } of members) {
    const own = said.get(name) ?? (given === undefined ? [defaultClientUrl(peerUrls[0]!)] : undefined);
    if (own === undefined) throw usage(`--client-urls names no URL of ${name}`);
    urls.set(name, own);
  }
  const all = [...urls.values()].flat();
  const twice = all.find((url, index) => all.indexOf(url) !== index);
  if (twice !== undefined) throw usage(`Two members would serve clients at ${twice}`);
  return urls;
}

/** The same grammar as --initial-cluster, with client URLs. */
function parseClientUrls(text: string): MemberSpec[] {
  try {
    return parseInitialCluster(text);
  } catch (error) {
    throw new EtcdOpsError('USAGE', { message: '--client-urls cannot be read', remedy: REMEDY, cause: error });
  }
}

function defaultClientUrl(peerUrl: string): string {
  const url = new URL(peerUrl);
  return `${url.protocol}//${url.hostname}:${CLIENT_PORT}`;
}

function listenable(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  if (!protocol.startsWith('http')) return url;
  const isAddress = hostname === 'localhost' || hostname.startsWith('[') || /^[\d.]+$/.test(hostname);
  const defaultPort = protocol === 'https:' ? '443' : '80';
  return `${protocol}//${isAddress ? hostname : '0.0.0.0'}:${port === '' ? defaultPort : port}`;
}

/** Health checks and etcdctl on the node itself use the loopback. */
function withLoopback(urls: readonly string[]): string[] {
  const first = new URL(urls[0]!);
  const isThere = urls.some((url) => /\/\/(?:localhost|127\.|0\.0\.0\.0|\[::)/.test(url));
  return isThere || !first.protocol.startsWith('http')
    ? [...urls]
    : [...urls, `${first.protocol}//127.0.0.1:${first.port}`];
}

function isSecure(urls: readonly string[]): boolean {
  return urls.some((url) => /^(?:https|unixs):/.test(url));
}

function tlsFiles(kind: 'server' | 'peer', { cacert, cert, key }: StartOptions): TlsFiles {
  return {
    caFile: cacert ?? `${KUBEADM_PKI}/ca.crt`,
    certFile: cert ?? `${KUBEADM_PKI}/${kind}.crt`,
    keyFile: key ?? `${KUBEADM_PKI}/${kind}.key`,
  };
}

const REMEDY = 'Name the client URL of every member: --client-urls m1=https://10.0.0.1:2379,m2=https://10.0.0.2:2379';

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy: REMEDY });
}
