import { stringify } from 'yaml';
import type { MemberStart } from './start-plan.ts';

const CONFIG_PATH = '/etc/etcd/etcd.conf.yml';

/** etcd's flags, in the order in which kubeadm's manifests and most units have them. */
export function etcdFlags(start: MemberStart): [name: string, value: string][] {
  const flags: [string, string | undefined][] = [
    ['name', start.name],
    ['data-dir', start.dataDir],
    ['wal-dir', start.walDir],
    ['listen-peer-urls', start.listenPeerUrls.join(',')],
    ['listen-client-urls', start.listenClientUrls.join(',')],
    ['initial-advertise-peer-urls', start.advertisePeerUrls.join(',')],
    ['advertise-client-urls', start.advertiseClientUrls.join(',')],
    ['initial-cluster', start.initialCluster],
    ['initial-cluster-token', start.token],
    ['initial-cluster-state', 'new'],
    ['cert-file', start.clientTls?.certFile],
    ['key-file', start.clientTls?.keyFile],
    ['trusted-ca-file', start.clientTls?.caFile],
    ['client-cert-auth', start.clientTls === undefined ? undefined : 'true'],
    ['peer-cert-file', start.peerTls?.certFile],
    ['peer-key-file', start.peerTls?.keyFile],
    ['peer-trusted-ca-file', start.peerTls?.caFile],
    ['peer-client-cert-auth', start.peerTls === undefined ? undefined : 'true'],
  ];
  return flags.filter((flag): flag is [string, string] => flag[1] !== undefined);
}

/** For `etcd --config-file`. */
export function renderConfig(start: MemberStart): string {
  const tls = ['cert-file', 'key-file', 'trusted-ca-file', 'client-cert-auth'];
  const entries = Object.fromEntries(etcdFlags(start));
  const section = (prefix: string): Record<string, unknown> | undefined => {
    if (entries[`${prefix}cert-file`] === undefined) return undefined;
    return Object.fromEntries(
      tls.map((name) => [name, name === 'client-cert-auth' ? true : entries[`${prefix}${name}`]]),
    );
  };
  const plain = Object.entries(entries).filter(
    ([name]) => !/^(?:peer-)?(?:cert|key|trusted-ca)-file$|cert-auth$/.test(name),
  );
  const document = {
    ...Object.fromEntries(plain),
    ...(start.clientTls === undefined ? {} : { 'client-transport-security': section('') }),
    ...(start.peerTls === undefined ? {} : { 'peer-transport-security': section('peer-') }),
  };
  return `# ${start.name}: etcd --config-file ${CONFIG_PATH}\n${stringify(document, { lineWidth: 0 })}`;
}

/** For `EnvironmentFile=`: etcd reads each flag from `ETCD_<NAME>`. */
export function renderEnvironment(start: MemberStart): string {
  const lines = etcdFlags(start).map(
    ([name, value]) => `ETCD_${name.toUpperCase().replaceAll('-', '_')}=${quoted(value)}`,
  );
  return `# ${start.name}: EnvironmentFile of etcd.service\n${lines.join('\n')}\n`;
}

export function renderUnit(start: MemberStart): string {
  const [user, group] = (start.owner ?? '').split(':');
  const lines = [
    '[Unit]',
    `Description=etcd ${start.name}`,
    'Documentation=https://etcd.io',
    'After=network-online.target',
    'Wants=network-online.target',
    '',
    '[Service]',
    'Type=notify',
    'EnvironmentFile=/etc/etcd/etcd.env',
    'ExecStart=/usr/local/bin/etcd',
    ...(user === undefined || user === '' ? [] : [`User=${user}`]),
    ...(group === undefined || group === '' ? [] : [`Group=${group}`]),
    'Restart=on-failure',
    'RestartSec=5',
    'LimitNOFILE=65536',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  return `${lines.join('\n')}\n`;
}

/** As kubeadm writes `/etc/kubernetes/manifests/etcd.yaml`. */
export function renderPod(start: MemberStart, image: string): string {
  const command = ['etcd', ...etcdFlags(start).map(([name, value]) => `--${name}=${value}`)];
  const volumes = volumesOf(start);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'etcd',
      namespace: 'kube-system',
      labels: { component: 'etcd', tier: 'control-plane' },
      annotations: { 'kubeadm.kubernetes.io/etcd.advertise-client-urls': start.advertiseClientUrls.join(',') },
    },
    spec: {
      hostNetwork: true,
      priorityClassName: 'system-node-critical',
      containers: [
        {
          name: 'etcd',
          image,
          imagePullPolicy: 'IfNotPresent',
          command,
          volumeMounts: volumes.map(({ name, path }) => ({ name, mountPath: path })),
        },
      ],
      volumes: volumes.map(({ name, path, type }) => ({ name, hostPath: { path, type } })),
    },
  };
  return `# ${start.name}: /etc/kubernetes/manifests/etcd.yaml\n${stringify(pod, { lineWidth: 0 })}`;
}

function volumesOf(start: MemberStart): { name: string; path: string; type: string }[] {
  const directories = new Map<string, string>([[start.dataDir, 'etcd-data']]);
  if (start.walDir !== undefined) directories.set(start.walDir, 'etcd-wal');
  const tls = [start.clientTls, start.peerTls].flatMap((files) => (files === undefined ? [] : Object.values(files)));
  let number = 0;
  for (const file of tls) {
    const directory = file.slice(0, Math.max(1, file.lastIndexOf('/')));
    if (!directories.has(directory)) directories.set(directory, number++ === 0 ? 'etcd-certs' : `etcd-certs-${number}`);
  }
  return [...directories].map(([path, name]) => ({
    name,
    path,
    // A data directory that is not there must not be made: etcd would begin a new, empty cluster in it.
    type: 'Directory',
  }));
}

/** systemd reads double quotes with C escapes; a dollar sign is not special in an environment file. */
function quoted(value: string): string {
  return /^[A-Za-z0-9_./:,=@%+[\]-]*$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, (found) => `\\${found}`)}"`;
}
