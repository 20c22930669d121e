import { nkeys } from 'nats';

/** What the client re-exports of the library of keys, without its types. */
interface KeyPair {
  getSeed(): Uint8Array;
  getPublicKey(): string;
  sign(input: Uint8Array): Uint8Array;
}
const keys = nkeys as unknown as Record<'createOperator' | 'createAccount' | 'createUser', () => KeyPair>;

export interface JwtUser {
  name: string;
  account: string;
  publish: readonly string[];
  publishDeny?: readonly string[];
  subscribe: readonly string[];
  answers?: boolean;
}

export interface NatsOperatorOptions {
  accounts: readonly string[];
  /** Streams that accounts show in others. */
  shown?: readonly { from: string; to: string; subjects: readonly string[] }[];
}

/** An operator with its accounts, as `nsc` makes them: everybody proves who he is by a JWT that his account has signed. */
export interface NatsOperator {
  /** Lines of a server's configuration: the operator, and all accounts in its memory. */
  config: string;
  /** The text of a `.creds` file. */
  credentials(user: JwtUser, options?: { expiresInSeconds?: number }): string;
}

const UNLIMITED = { subs: -1, data: -1, payload: -1 };
const ACCOUNT_LIMITS = {
  ...UNLIMITED,
  ...{ imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
  ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
};

/** Source of the format: nats-server's own `github.com/nats-io/jwt/v2`; a JWT signed by an nkey, claims of version 2. */
export function createNatsOperator({ accounts, shown = [] }: NatsOperatorOptions): NatsOperator {
  const operator = keys.createOperator();
  const pairs = new Map([...accounts, 'SYS'].map((name) => [name, keys.createAccount()] as const));
  const publicKey = (account: string): string => pairs.get(account)!.getPublicKey();
  const accountJwt = (name: string): string => {
    const exports = shown
      .filter(({ from }) => from === name)
      .flatMap(({ subjects }) => subjects.map((subject) => ({ name: subject, subject, type: 'stream' })));
    const imports = shown
      .filter(({ to }) => to === name)
      .flatMap(({ from, subjects }) =>
        subjects.map((subject) => ({ name: subject, subject, account: publicKey(from), type: 'stream' })),
      );
    const limits = name === 'SYS' ? { ...ACCOUNT_LIMITS, mem_storage: 0, disk_storage: 0 } : ACCOUNT_LIMITS;
    const nats = { limits, exports, imports, type: 'account', version: 2 };
    return signed(operator, { sub: publicKey(name), name, nats });
  };
  const operatorJwt = signed(operator, {
    sub: operator.getPublicKey(),
    name: 'test',
    nats: { type: 'operator', version: 2, system_account: publicKey('SYS') },
  });
  const preload = [...pairs.keys()].map((name) => `  ${publicKey(name)}: ${accountJwt(name)}`);
  return {
    config: [
      `operator: ${operatorJwt}`,
      `system_account: ${publicKey('SYS')}`,
      'resolver: MEMORY',
      'resolver_preload: {',
      ...preload,
      '}',
    ].join('\n'),
    credentials(user, { expiresInSeconds } = {}) {
      const pair = keys.createUser();
      const nats = {
        pub: { allow: user.publish, ...(user.publishDeny === undefined ? {} : { deny: user.publishDeny }) },
        sub: { allow: user.subscribe },
        ...(user.answers === true ? { resp: { max: 4, ttl: 300_000_000_000 } } : {}),
        ...UNLIMITED,
        ...{ type: 'user', version: 2 },
      };
      const exp = expiresInSeconds === undefined ? {} : { exp: nowSeconds() + expiresInSeconds };
      const jwt = signed(pairs.get(user.account)!, { sub: pair.getPublicKey(), name: user.name, ...exp, nats });
      const seed = new TextDecoder().decode(pair.getSeed());
      return [
        '-----BEGIN NATS USER JWT-----',
        jwt,
        '------END NATS USER JWT------',
        '',
        '-----BEGIN USER NKEY SEED-----',
        seed,
        '------END USER NKEY SEED------',
        '',
      ].join('\n');
    },
  };
}

function signed(issuer: KeyPair, claims: Record<string, unknown>): string {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = { jti: 'X', iat: nowSeconds(), iss: issuer.getPublicKey(), ...claims };
  const text = `${encoded({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encoded(payload)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}
