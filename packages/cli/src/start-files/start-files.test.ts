import { parseInitialCluster } from '@etcd-ops/core';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { etcdFlags, renderConfig, renderEnvironment, renderPod, renderUnit } from './render.ts';
import { planStart, type MemberStart, type StartOptions } from './start-plan.ts';

function start(initialCluster: string, options: StartOptions = {}): MemberStart[] {
  const specs = parseInitialCluster(initialCluster);
  const members = specs.map((spec) => ({ spec, dataDir: `/var/lib/etcd/${spec.name}` }));
  return planStart({ initialCluster: specs, token: 'a token', members, etcdVersion: '3.5.16' }, options);
}

const secure = 'm1=https://10.0.0.1:2380,m2=https://etcd2.example:2380';

test('a member listens where it can and advertises what it is called', () => {
  const [first, second] = start(secure);
  expect(first).toMatchObject({
    listenPeerUrls: ['https://10.0.0.1:2380'],
    listenClientUrls: ['https://10.0.0.1:2379', 'https://127.0.0.1:2379'],
    advertiseClientUrls: ['https://10.0.0.1:2379'],
    clientTls: { caFile: '/etc/kubernetes/pki/etcd/ca.crt', certFile: '/etc/kubernetes/pki/etcd/server.crt' },
    peerTls: { certFile: '/etc/kubernetes/pki/etcd/peer.crt' },
  });
  expect(second).toMatchObject({
    listenPeerUrls: ['https://0.0.0.0:2380'],
    advertisePeerUrls: ['https://etcd2.example:2380'],
    listenClientUrls: ['https://0.0.0.0:2379'],
  });
});

test('certificates that were given are used for clients and peers', () => {
  const [first] = start(secure, { cacert: '/pki/ca.pem', cert: '/pki/members.pem', key: '/pki/members-key.pem' });
  const tls = { caFile: '/pki/ca.pem', certFile: '/pki/members.pem', keyFile: '/pki/members-key.pem' };
  expect(first).toMatchObject({ clientTls: tls, peerTls: tls });
});

test.each([
  ['two members on one host', 'm1=http://127.0.0.1:1,m2=http://127.0.0.1:2', {}, /Two members/],
  ['a member without a client URL', secure, { clientUrls: 'm1=https://10.0.0.1:2379' }, /no URL of m2/],
  ['client URLs that cannot be read', secure, { clientUrls: 'nonsense' }, /cannot be read/],
])('%s is refused', (_, cluster, options, said) => {
  expect(() => start(cluster, options)).toThrow(said);
});

describe('the same flags in every form', () => {
  const [member] = start(secure);
  const flags = Object.fromEntries(etcdFlags(member!));

  test('the pod has one word a flag, and mounts what the flags name', () => {
    const pod = parse(renderPod(member!, 'etcd:3.5.16')) as {
      spec: {
        containers: { command: string[]; image: string }[];
        volumes: { hostPath: { path: string; type: string } }[];
      };
    };
    const [container] = pod.spec.containers;
    expect(container!.command).toEqual(['etcd', ...etcdFlags(member!).map(([name, value]) => `--${name}=${value}`)]);
    expect(pod.spec.volumes.map(({ hostPath }) => hostPath)).toEqual([
      { path: '/var/lib/etcd/m1', type: 'Directory' },
      { path: '/etc/kubernetes/pki/etcd', type: 'Directory' },
    ]);
  });

  test('the configuration file', () => {
    const config = parse(renderConfig(member!)) as Record<string, unknown>;
    expect(config).toMatchObject({
      name: 'm1',
      'data-dir': '/var/lib/etcd/m1',
      'initial-cluster': flags['initial-cluster'],
      'client-transport-security': { 'client-cert-auth': true, 'cert-file': flags['cert-file'] },
      'peer-transport-security': { 'trusted-ca-file': flags['peer-trusted-ca-file'] },
    });
    expect(config).not.toHaveProperty('cert-file');
    expect(config).not.toHaveProperty('peer-client-cert-auth');
  });

  test('the environment file quotes what needs it', () => {
    const lines = renderEnvironment(member!).split('\n');
    expect(lines).toContain('ETCD_INITIAL_CLUSTER_TOKEN="a token"');
    expect(lines).toContain('ETCD_LISTEN_CLIENT_URLS=https://10.0.0.1:2379,https://127.0.0.1:2379');
    expect(lines.filter((line) => line.startsWith('ETCD_'))).toHaveLength(etcdFlags(member!).length);
  });

  test('the unit runs as the owner', () => {
    expect(renderUnit(member!)).not.toContain('User=');
    expect(renderUnit({ ...member!, owner: 'etcd:etcd' })).toContain('User=etcd\nGroup=etcd\n');
  });
});
