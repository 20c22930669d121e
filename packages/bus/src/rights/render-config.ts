import { ACCOUNTS, ROLES, SHOWN_IN_CORE, SHOWN_IN_OPS, type Account, type Role } from './roles.ts';

/** How a role proves who it is: text that goes into the configuration as it is, quoted already or a `$VARIABLE`. */
export type Credential = { password: string } | { nkey: string };

export interface AccountsOptions {
  credentialOf: (role: Role) => Credential;
  /** Lines of comment at the top. */
  comment?: readonly string[];
}

/** Of one of its own tasks: progress, done and dead each, and a few for the queue itself. */
const RESPONSES_MAX = 4;

/** The accounts and their users, as nats-server 2.9 and newer read them. */
export function renderAccounts({ credentialOf, comment = [] }: AccountsOptions): string {
  const lines = comment.map((line) => `# ${line}`.trimEnd());
  lines.push('accounts {');
  for (const account of ACCOUNTS) {
    lines.push(`  ${account} {`, '    jetstream: enabled', ...indent(2, sharing(account)), '    users: [');
    for (const role of ROLES.filter((one) => one.account === account)) {
      lines.push(...indent(3, renderUser(role, credentialOf(role))));
    }
    lines.push('    ]', '  }');
  }
  lines.push('  SYS {}', '}', 'system_account: SYS', '');
  return lines.join('\n');
}

/** What an account shows in the other one, and what it is shown. */
function sharing(account: Account): string[] {
  const other = account === 'CORE' ? 'OPS' : 'CORE';
  return [
    ...block('exports', SHOWN_IN[other], (subject) => `{ stream: "${subject}", accounts: [${other}] }`),
    ...block('imports', SHOWN_IN[account], (subject) => `{ stream: { account: ${other}, subject: "${subject}" } }`),
  ];
}

const SHOWN_IN: Readonly<Record<Account, readonly string[]>> = { CORE: SHOWN_IN_CORE, OPS: SHOWN_IN_OPS };

function block(name: string, subjects: readonly string[], line: (subject: string) => string): string[] {
  return [`${name}: [`, ...subjects.map((subject) => `  ${line(subject)}`), ']'];
}

function renderUser(role: Role, credential: Credential): string[] {
  const identity =
    'nkey' in credential ? [`nkey: ${credential.nkey}`] : [`user: "${role.name}"`, `password: ${credential.password}`];
  return [
    '{',
    `  # ${role.name}: ${role.does}`,
    ...indent(1, identity),
    '  permissions {',
    '    publish {',
    ...indent(3, list('allow', role.publish)),
    ...(role.publishDeny === undefined ? [] : indent(3, list('deny', role.publishDeny))),
    '    }',
    '    subscribe {',
    ...indent(3, list('allow', role.subscribe)),
    '    }',
    ...(role.answers === true ? [`    allow_responses { max: ${RESPONSES_MAX}, expires: "5m" }`] : []),
    '  }',
    '}',
  ];
}

function list(name: string, subjects: readonly string[]): string[] {
  const unique = [...new Set(subjects)].toSorted();
  return [`${name}: [`, ...unique.map((subject) => `  "${subject}"`), ']'];
}

function indent(levels: number, lines: readonly string[]): string[] {
  return lines.map((line) => '  '.repeat(levels) + line);
}

export interface TlsFiles {
  certFile: string;
  keyFile: string;
  caFile: string;
}

export interface ServerOptions {
  /** Unique in a cluster. */
  name: string;
  listen: string;
  /** Of /healthz and /varz; none without it. */
  monitorListen?: string;
  storeDir: string;
  /** Path of the accounts, from this file. */
  accountsFile: string;
  /** Clients then have to use TLS; with `verifyClients` they need a certificate of the CA, too. */
  tls?: TlsFiles & { verifyClients?: boolean };
  /** The other nodes; without it, a server of its own. */
  cluster?: { listen: string; routes: readonly string[]; tls?: TlsFiles };
}

/** One node. Only settings that 2.9 knows: an unknown one keeps it from starting. */
export function renderServer(options: ServerOptions): string {
  const { name, listen, monitorListen, storeDir, accountsFile, tls, cluster } = options;
  return [
    `server_name: ${JSON.stringify(name)}`,
    `listen: ${JSON.stringify(listen)}`,
    ...(monitorListen === undefined ? [] : [`http: ${JSON.stringify(monitorListen)}`]),
    '# Events are at most this large and go as several beyond.',
    'max_payload: 1MB',
    '# A silent client is noticed within half a minute, so that its requests go to others.',
    'ping_interval: "10s"',
    'ping_max: 3',
    `jetstream { store_dir: ${JSON.stringify(storeDir)} }`,
    ...(tls === undefined ? [] : renderTls(tls, tls.verifyClients === true, 0)),
    ...(cluster === undefined ? [] : renderCluster(cluster)),
    `include ${JSON.stringify(accountsFile)}`,
    '',
  ].join('\n');
}

function renderCluster({ listen, routes, tls }: NonNullable<ServerOptions['cluster']>): string[] {
  return [
    'cluster {',
    '  name: "etcd-ops"',
    `  listen: ${JSON.stringify(listen)}`,
    ...(tls === undefined ? [] : renderTls(tls, true, 1)),
    '  routes: [',
    ...routes.map((route) => `    ${JSON.stringify(route)}`),
    '  ]',
    '}',
  ];
}

function renderTls({ certFile, keyFile, caFile }: TlsFiles, verify: boolean, level: number): string[] {
  return indent(level, [
    'tls {',
    `  cert_file: ${JSON.stringify(certFile)}`,
    `  key_file: ${JSON.stringify(keyFile)}`,
    `  ca_file: ${JSON.stringify(caFile)}`,
    `  verify: ${verify}`,
    '}',
  ]);
}
