import { defineCommand } from '../options/define-command.ts';
import { boolean, choice, directory, file, list } from '../options/flag.ts';

/** `etcd-ops nats-config`: the configuration of the NATS of a fleet, with the least rights for each service. */
export const natsConfigCommand = defineCommand({
  name: 'nats-config',
  task: 'fleet',
  summary: { en: 'write the configuration of NATS for a fleet', zh: '生成大规模部署所用的 NATS 配置' },
  description: {
    en: 'Writes the configuration of nats-server 2.9 and newer: two accounts, one user for each service with the least rights that its work needs, and a secret for each below users/. Secrets that are there stay, so it can be run again after an update.',
    zh: '生成 nats-server 2.9 及更新版本的配置：两个账户，每个服务一个最小权限用户，密钥保存在 users/ 下。已有密钥保持不变，升级后可重复执行。',
  },
  flags: {
    dir: directory({ default: 'nats', en: 'where the files are written', zh: '输出目录' }),
    usersDir: directory({
      en: 'where the secrets are written, one folder a role',
      zh: '密钥目录，每个角色一个子目录',
      defaultText: { en: '<dir>/users', zh: '<dir>/users' },
    }),
    auth: choice(['nkey', 'password'], { default: 'nkey', en: 'how services prove who they are', zh: '身份验证方式' }),
    node: list({
      value: 'name=host',
      defaultText: { en: 'one server of its own', zh: '单个服务器' },
      en: 'the nodes of a NATS cluster, as n1=10.0.0.1,n2=10.0.0.2,n3=10.0.0.3',
      zh: 'NATS 集群的节点，如 n1=10.0.0.1,n2=10.0.0.2,n3=10.0.0.3',
    }),
    storeDir: directory({ default: '/data', en: 'where nats-server keeps its streams', zh: 'nats-server 的数据目录' }),
    tlsCa: file({ en: 'CA on the hosts of NATS; {name} is the node', zh: 'NATS 主机上的 CA；{name} 为节点名' }),
    tlsCert: file({ en: 'certificate on the hosts of NATS', zh: 'NATS 主机上的证书' }),
    tlsKey: file({ en: 'key on the hosts of NATS', zh: 'NATS 主机上的私钥' }),
    verifyClients: boolean({ en: 'clients need a certificate of that CA, too', zh: '客户端也必须持有该 CA 的证书' }),
    rotate: list({ value: 'roles', en: 'new secrets for these roles', zh: '为这些角色重新生成密钥' }),
  },
  examples: [
    { command: 'etcd-ops nats-config --dir /etc/nats', en: 'one server', zh: '单个服务器' },
    {
      command:
        'etcd-ops nats-config --dir nats --node n1=nats-1,n2=nats-2,n3=nats-3 --tls-ca /tls/ca.pem --tls-cert /tls/{name}.pem --tls-key /tls/{name}.key',
      en: 'three nodes with TLS',
      zh: '三节点并启用 TLS',
    },
  ],
  exitCodes: [12],
  run: async (options) => {
    const { writeNatsConfig } = await import('../fleet/write-nats-config.ts');
    await writeNatsConfig(options);
  },
});
