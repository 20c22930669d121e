import { createServer, type Server } from 'node:http';
import { chmod, writeFile } from 'node:fs/promises';
import { OssServer, tempDir } from '@etcd-ops/local-servers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeError } from '../base/errors.ts';
import { ossCredentialSources } from './oss-credentials-env.ts';
import { OssCredentialChain, type OssCredentials, type OssCredentialSource } from './oss-credentials.ts';
import { openOssBucket } from './oss-open.ts';
import { ecsRoleSource, oidcRoleSource } from './oss-role-credentials.ts';

const key = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };
/** The machine that runs this may be one of Alibaba Cloud, and its user may have a configuration. */
const alone = { ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true', ALIBABA_CLOUD_CONFIG_FILE: '/nowhere/config.json' };

let directory: ReturnType<typeof tempDir>;
beforeEach(() => {
  directory = tempDir();
});
afterEach(async () => await directory.remove());

const write = async (files: Record<string, string>): Promise<void> => {
  for (const [name, text] of Object.entries(files)) await writeFile(directory.file(name), text);
};
const read = async (sources: readonly OssCredentialSource[]): Promise<OssCredentials> =>
  await new OssCredentialChain(sources).get();

describe('files', () => {
  it("the seed's directory: new lines and spaces do no harm", async () => {
    await write({
      accessKeyID: `${key.accessKeyId}\n`,
      accessKeySecret: `${key.accessKeySecret}\r\n`,
      storageEndpoint: '\n oss-cn-hangzhou.aliyuncs.com \n\n',
    });
    const expected = { ...key, endpoint: 'oss-cn-hangzhou.aliyuncs.com' };
    expect(await read(ossCredentialSources({ directory: directory.path }, {}))).toEqual(expected);
    const env = {
      ALICLOUD_APPLICATION_CREDENTIALS: directory.path,
      OSS_ACCESS_KEY_ID: 'x',
      OSS_ACCESS_KEY_SECRET: 'y',
    };
    expect(await read(ossCredentialSources(undefined, env))).toEqual(expected);
  });

  it('a directory with a token and a region', async () => {
    await write({
      accessKeyID: key.accessKeyId,
      accessKeySecret: key.accessKeySecret,
      securityToken: 'token\n',
      region: 'cn-beijing\n',
    });
    expect(await read(ossCredentialSources({ directory: directory.path }, {}))).toEqual({
      ...key,
      securityToken: 'token',
      region: 'cn-beijing',
    });
  });

  it("gardener's file of JSON, from the environment or by name; fields that it knows more of do no harm", async () => {
    const { accessKeyId: accessKeyID, accessKeySecret } = key;
    const json = { accessKeyID, accessKeySecret, storageEndpoint: 'oss-eu-central-1.aliyuncs.com', bucketName: 'x' };
    await write({ 'credentials.json': JSON.stringify(json) });
    const path = directory.file('credentials.json');
    const expected = { ...key, endpoint: 'oss-eu-central-1.aliyuncs.com' };
    expect(await read(ossCredentialSources(undefined, { ALICLOUD_APPLICATION_CREDENTIALS_JSON: path }))).toEqual(
      expected,
    );
    expect(await read(ossCredentialSources({ file: path }, {}))).toEqual(expected);
  });

  it.for([
    { name: 'no directory', files: {}, reason: /accessKeyID and accessKeySecret are missing/ },
    { name: 'half a key', files: { accessKeyID: 'LTAI' }, reason: /accessKeySecret is missing/ },
    {
      name: 'an empty secret',
      files: { accessKeyID: 'LTAI', accessKeySecret: ' \n' },
      reason: /accessKeySecret is missing/,
    },
  ])('a directory that cannot be used is named: $name', async ({ files, reason }) => {
    await write(files);
    const env = {
      ALICLOUD_APPLICATION_CREDENTIALS: directory.path,
      ALIBABA_CLOUD_ACCESS_KEY_ID: 'x',
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'y',
    };
    const failure: unknown = await read(ossCredentialSources(undefined, env)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_CREDENTIALS', message: expect.stringMatching(reason) });
    expect(describeError(failure)).toContain(directory.path);
  });

  it.for([
    { name: 'no JSON', text: `{"accessKeyID": "${key.accessKeySecret}`, reason: /not JSON/ },
    {
      name: 'without the secret',
      text: `{"accessKeyID": "LTAI", "secret": "${key.accessKeySecret}"}`,
      reason: /accessKeySecret/,
    },
    {
      name: 'another type',
      text: `{"accessKeyID": "LTAI", "accessKeySecret": ["${key.accessKeySecret}"]}`,
      reason: /accessKeySecret/,
    },
  ])('a file that cannot be used tells nothing of what it holds: $name', async ({ text, reason }) => {
    await write({ 'credentials.json': text });
    const sources = ossCredentialSources({ file: directory.file('credentials.json') }, {});
    const failure: unknown = await read(sources).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_CREDENTIALS', message: expect.stringMatching(reason) });
    expect(describeError(failure)).not.toContain(key.accessKeySecret);
  });

  it('a file that may not be read is named with the reason', async ({ skip }) => {
    if (process.getuid?.() === 0) skip('root may read everything');
    await write({ accessKeyID: 'LTAI', accessKeySecret: 'x' });
    await chmod(directory.file('accessKeySecret'), 0o000);
    await expect(read(ossCredentialSources({ directory: directory.path }, {}))).rejects.toThrow(
      /accessKeySecret.*EACCES/,
    );
  });

  it('profiles of the command of the vendor', async () => {
    const profile = (name: string, mode: string, more: object) => ({ name, mode, region_id: 'cn-beijing', ...more });
    const pair = { access_key_id: key.accessKeyId, access_key_secret: key.accessKeySecret };
    const profiles = [
      profile('plain', 'AK', pair),
      profile('session', 'StsToken', { ...pair, sts_token: 'token' }),
      profile('machine', 'EcsRamRole', { ram_role_name: 'backup' }),
    ];
    const at = async (current: string, named?: string) => {
      await write({ 'config.json': JSON.stringify({ current, profiles }) });
      const env = { ...alone, ALIBABA_CLOUD_CONFIG_FILE: directory.file('config.json') };
      return await read(ossCredentialSources(named === undefined ? undefined : { profile: named }, env));
    };
    expect(await at('plain')).toEqual({ ...key, region: 'cn-beijing' });
    expect(await at('session')).toEqual({ ...key, region: 'cn-beijing', securityToken: 'token' });
    expect(await at('machine', 'plain')).toEqual({ ...key, region: 'cn-beijing' });
    await expect(at('machine')).rejects.toMatchObject({ code: 'STORE_CREDENTIALS' });
    await expect(at('plain', 'machine')).rejects.toThrow(/profile machine/);
    await expect(at('plain', 'nobody')).rejects.toThrow(/profile nobody/);
  });
});

describe('the environment', () => {
  it.for([
    ['OSS_ACCESS_KEY_ID', 'OSS_ACCESS_KEY_SECRET', 'OSS_SESSION_TOKEN'],
    ['ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_SECURITY_TOKEN'],
    ['ALICLOUD_ACCESS_KEY', 'ALICLOUD_SECRET_KEY', 'ALICLOUD_SECURITY_TOKEN'],
  ] as const)('%s', async ([id, secret, token]) => {
    const env = { ...alone, [id]: ` ${key.accessKeyId}\n`, [secret]: `${key.accessKeySecret}\n` };
    expect(await read(ossCredentialSources(undefined, env))).toEqual(key);
    expect(await read(ossCredentialSources(undefined, { ...env, [token]: 'token' }))).toEqual({
      ...key,
      securityToken: 'token',
    });
    await expect(read(ossCredentialSources(undefined, { ...alone, [id]: 'x' }))).rejects.toThrow(/No credentials/);
  });

  it('says where it looked when there is nothing', async () => {
    await expect(read(ossCredentialSources(undefined, alone))).rejects.toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/OSS_ACCESS_KEY_ID.*ALIBABA_CLOUD_ACCESS_KEY_ID.*config\.json/),
      remedy: expect.stringContaining('ALICLOUD_APPLICATION_CREDENTIALS'),
    });
  });
});

interface Asked {
  method: string;
  url: string;
  headers: Record<string, unknown>;
  body: string;
}

/** Answers by method and path; remembers what it was asked. */
async function serve(
  answers: Record<string, [number, string]>,
): Promise<{ url: string; asked: Asked[]; close(): Promise<void> }> {
  const asked: Asked[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      const [status, text] = answers[`${method} ${url.split('?')[0]}`] ?? [404, 'not found'];
      response.writeHead(status).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, asked, close };
}

describe('roles', () => {
  const roles = '/latest/meta-data/ram/security-credentials/';
  const expiresAtMs = Date.parse('2030-01-02T03:04:05Z');
  const found = {
    AccessKeyId: key.accessKeyId,
    AccessKeySecret: key.accessKeySecret,
    SecurityToken: 'token',
    Expiration: '2030-01-02T03:04:05Z',
  };
  const temporary = { ...key, securityToken: 'token', expiresAtMs };
  const machine = {
    'PUT /latest/api/token': [200, 'metadata-token'],
    [`GET ${roles}`]: [200, 'backup-role\n'],
    [`GET ${roles}backup-role`]: [200, JSON.stringify({ Code: 'Success', ...found })],
  } satisfies Record<string, [number, string]>;

  it('the role of the machine, with a session token of its metadata service', async () => {
    const metadata = await serve(machine);
    expect(await ecsRoleSource({ baseUrl: metadata.url }).read()).toEqual(temporary);
    expect(metadata.asked.map(({ method, url }) => `${method} ${url}`)).toEqual(Object.keys(machine));
    expect(metadata.asked[2]!.headers['x-aliyun-ecs-metadata-token']).toBe('metadata-token');
    expect(await ecsRoleSource({ baseUrl: metadata.url, role: 'backup-role', hardenedOnly: true }).read()).toEqual(
      temporary,
    );
    expect(metadata.asked).toHaveLength(5);
    await metadata.close();
  });

  it('an older metadata service, unless that is refused', async () => {
    const metadata = await serve({ ...machine, 'PUT /latest/api/token': [404, ''] });
    expect(await ecsRoleSource({ baseUrl: metadata.url }).read()).toEqual(temporary);
    const hardened = ecsRoleSource({ baseUrl: metadata.url, hardenedOnly: true });
    await expect(hardened.read()).rejects.toThrow(/session token/);
    await metadata.close();
  });

  it('no role, no service: nothing, but an error when the role was named', async () => {
    const metadata = await serve({ 'PUT /latest/api/token': [200, 'token'] });
    expect(await ecsRoleSource({ baseUrl: metadata.url }).read()).toBeUndefined();
    await expect(ecsRoleSource({ baseUrl: metadata.url, role: 'backup' }).read()).rejects.toThrow(/backup.*no key/);
    await metadata.close();
    expect(await ecsRoleSource({ baseUrl: metadata.url, timeoutMs: 500 }).read()).toBeUndefined();
    const named = ecsRoleSource({ baseUrl: metadata.url, role: 'backup', timeoutMs: 500 });
    await expect(named.read()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('does not answer'),
    });
  });

  it('an answer that holds no key is not repeated', async () => {
    const text = JSON.stringify({ Code: 'Failed', ...found });
    const metadata = await serve({ ...machine, [`GET ${roles}backup-role`]: [200, text] });
    const failure: unknown = await ecsRoleSource({ baseUrl: metadata.url })
      .read()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_CREDENTIALS' });
    expect(describeError(failure)).not.toContain(key.accessKeySecret);
    await metadata.close();
  });

  it('the role of a service account: its token is read anew each time', async () => {
    const sts = await serve({ 'POST /': [200, JSON.stringify({ RequestId: 'x', Credentials: found })] });
    await write({ token: 'first\n' });
    const source = oidcRoleSource({
      roleArn: 'acs:ram::1:role/backup',
      providerArn: 'acs:ram::1:oidc-provider/ack',
      tokenFile: directory.file('token'),
      stsUrl: sts.url,
    });
    expect(await source.read()).toEqual(temporary);
    await write({ token: 'second' });
    await source.read();
    const forms = sts.asked.map(({ body }) => new URLSearchParams(body));
    expect(forms.map((form) => form.get('OIDCToken'))).toEqual(['first', 'second']);
    expect(Object.fromEntries(forms[0]!)).toMatchObject({
      RoleArn: 'acs:ram::1:role/backup',
      OIDCProviderArn: 'acs:ram::1:oidc-provider/ack',
      RoleSessionName: 'etcd-ops',
    });
    expect(sts.asked[0]!.url).toMatch(/Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON/);
    await sts.close();
  });

  it('a refusal of the role is told by its code, never with the token', async () => {
    await write({ token: 'the-token-of-the-account' });
    const refusal = { Code: 'AuthenticationFail.OIDCToken.Expired', Message: 'the-token-of-the-account is expired' };
    const sts = await serve({ 'POST /': [400, JSON.stringify(refusal)] });
    const source = oidcRoleSource({
      roleArn: 'r',
      providerArn: 'p',
      tokenFile: directory.file('token'),
      stsUrl: sts.url,
    });
    const failure: unknown = await source.read().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_CREDENTIALS', message: expect.stringContaining('OIDCToken.Expired') });
    expect(describeError(failure)).not.toContain('the-token-of-the-account');
    await sts.close();
  });

  it('is found in the environment of a pod', () => {
    const env = {
      ...alone,
      ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/backup',
      ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'p',
      ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/var/run/secrets/token',
    };
    expect(ossCredentialSources(undefined, env).map(({ name }) => name)).toContain(
      'the RAM role acs:ram::1:role/backup by OIDC',
    );
    const named = ossCredentialSources(undefined, { ALIBABA_CLOUD_ECS_METADATA: 'backup' });
    expect(named.at(-1)!.name).toBe('the RAM role backup of this machine');
  });
});

describe('renewal', () => {
  let nowMs = 1_000_000;
  const sourceOf = (answers: (OssCredentials | Error)[]): OssCredentialSource & { reads: number } => ({
    name: 'the test',
    reads: 0,
    async read() {
      const answer = answers[Math.min(this.reads++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });

  it('a key without an end is read again after ten seconds, and is the same object while it stays the same', async () => {
    const source = sourceOf([key, { ...key }, { ...key, accessKeyId: 'LTAInew' }]);
    const chain = new OssCredentialChain([source], { now: () => nowMs });
    const first = await chain.get();
    expect(await chain.get()).toBe(first);
    expect(source.reads).toBe(1);
    nowMs += 10_000;
    expect(await chain.get()).toBe(first);
    expect(source.reads).toBe(2);
    nowMs += 10_000;
    expect((await chain.get()).accessKeyId).toBe('LTAInew');
  });

  it('a temporary key is renewed five minutes before its end, and kept when that fails', async () => {
    const temporary = { ...key, securityToken: 'one', expiresAtMs: nowMs + 3_600_000 };
    const source = sourceOf([temporary, new Error('not now'), { ...temporary, securityToken: 'two' }]);
    const chain = new OssCredentialChain([source], { now: () => nowMs });
    await chain.get();
    nowMs += 54 * 60_000;
    expect((await chain.get()).securityToken).toBe('one');
    expect(source.reads).toBe(1);
    nowMs += 2 * 60_000;
    expect((await chain.get()).securityToken).toBe('one');
    expect(source.reads).toBe(2);
    nowMs += 30_000;
    expect((await chain.get()).securityToken).toBe('two');
  });

  it('a source that fails from the beginning, or after the end of the key, is told', async () => {
    await expect(new OssCredentialChain([sourceOf([new Error('gone')])]).get()).rejects.toThrow('gone');
    const ended = { ...key, securityToken: 'one', expiresAtMs: nowMs + 1000 };
    const chain = new OssCredentialChain([sourceOf([ended, new Error('gone')])], { now: () => nowMs });
    await chain.get();
    nowMs += 60_000;
    await expect(chain.get()).rejects.toThrow('gone');
  });

  it('callers at the same time share one reading', async () => {
    const source = sourceOf([key]);
    const chain = new OssCredentialChain([source]);
    await Promise.all([chain.get(), chain.get(), chain.get()]);
    expect(source.reads).toBe(1);
  });

  it('a key that was changed in its files is used at once when the old one is refused', async () => {
    await using server = await OssServer.start({ accounts: [key], buckets: ['bak-bucket'] });
    const lines = {
      accessKeyID: key.accessKeyId,
      accessKeySecret: key.accessKeySecret,
      storageEndpoint: server.endpoint,
    };
    await write(lines);
    const spec = { provider: 'OSS', bucket: 'bak-bucket', credentials: { directory: directory.path } } as const;
    const bucket = await openOssBucket(spec);
    await bucket.put('a', Buffer.from('1'), {});
    server.accounts = [{ accessKeyId: 'LTAInew', accessKeySecret: 'the-new-secret' }];
    await write({ accessKeyID: 'LTAInew\n', accessKeySecret: 'the-new-secret\n' });
    await bucket.put('b', Buffer.from('2'), {});
    expect(server.bucket('bak-bucket').keys()).toEqual(['a', 'b']);
    expect(server.seen.map(({ status }) => status)).toEqual([200, 403, 200]);
    bucket.close();
  });

  it('a session token that ran out is replaced by its successor', async () => {
    const session = { ...key, securityToken: 'one', expiresAtMs: Date.now() - 1 };
    await using server = await OssServer.start({ accounts: [session], buckets: ['bak-bucket'] });
    const source = sourceOf([
      { ...key, securityToken: 'one', endpoint: server.endpoint },
      { ...key, securityToken: 'two', endpoint: server.endpoint },
    ]);
    const bucket = await openOssBucket(
      { provider: 'OSS', bucket: 'bak-bucket' },
      { chain: new OssCredentialChain([source]) },
    );
    server.accounts = [{ ...key, securityToken: 'two' }];
    await bucket.put('a', Buffer.from('1'), {});
    expect(server.seen.map(({ status }) => status)).toEqual([403, 200]);
    bucket.close();
  });
});
