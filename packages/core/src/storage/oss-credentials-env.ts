import { homedir } from 'node:os';
import { join } from 'node:path';
import { credentialPlace, credentialProfile, withoutEmpty } from './oss-credential-files.ts';
import type { OssCredentialSource } from './oss-credentials.ts';
import { ecsRoleSource, oidcRoleSource } from './oss-role-credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Names of the key, its secret and its token, as the vendor's SDKs and tools read them. */
const KEY_VARIABLES = [
  ['OSS_ACCESS_KEY_ID', 'OSS_ACCESS_KEY_SECRET', 'OSS_SESSION_TOKEN'],
  ['ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_SECURITY_TOKEN'],
  ['ALICLOUD_ACCESS_KEY', 'ALICLOUD_SECRET_KEY', 'ALICLOUD_SECURITY_TOKEN'],
] as const;

/**
 * Where a key may be. What is named outright is the only place; otherwise the directory or file that the environment names
 * (`ALICLOUD_APPLICATION_CREDENTIALS`, `..._JSON`), else the usual places in their usual order.
 */
export function ossCredentialSources(
  named: { directory?: string; file?: string; profile?: string } | undefined,
  env: Environment = process.env,
): OssCredentialSource[] {
  const profiles = env['ALIBABA_CLOUD_CONFIG_FILE'] ?? join(homedir(), '.aliyun', 'config.json');
  if (named?.directory !== undefined) return [credentialPlace({ directory: named.directory })];
  if (named?.file !== undefined) return [credentialPlace({ file: named.file })];
  if (named?.profile !== undefined) return [credentialProfile(profiles, named.profile)];
  const directory = given(env, 'ALICLOUD_APPLICATION_CREDENTIALS');
  if (directory !== undefined) return [credentialPlace({ directory })];
  const file = given(env, 'ALICLOUD_APPLICATION_CREDENTIALS_JSON');
  if (file !== undefined) return [credentialPlace({ file })];
  return [
    ...KEY_VARIABLES.map((names) => variableSource(env, names)),
    ...oidcSources(env),
    credentialProfile(profiles, given(env, 'ALIBABA_CLOUD_PROFILE')),
    ...ecsSources(env),
  ];
}

/** Endpoint and region by the environment, where neither the configuration nor the key's source says. */
export function ossPlaceOfEnvironment(env: Environment = process.env): { endpoint?: string; region?: string } {
  const endpoint = given(env, 'OSS_ENDPOINT');
  const region = given(env, 'OSS_REGION') ?? given(env, 'ALIBABA_CLOUD_REGION_ID');
  return { ...(endpoint === undefined ? {} : { endpoint }), ...(region === undefined ? {} : { region }) };
}

/** The variables by which a machine names its proxy. */
export function proxyEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return env;
}

/** Loads code that would write requests, and with them tokens, to standard error when the environment asks all libraries to talk. */
export function loadedSilently<T>(load: () => T, env: NodeJS.ProcessEnv = process.env): T {
  const asked = env['DEBUG'];
  delete env['DEBUG'];
  try {
    return load();
  } finally {
    if (asked !== undefined) env['DEBUG'] = asked;
  }
}

function variableSource(env: Environment, [id, secret, token]: (typeof KEY_VARIABLES)[number]): OssCredentialSource {
  return {
    name: `the variables ${id} and ${secret}`,
    read: async () => {
      const [accessKeyId, accessKeySecret] = [given(env, id), given(env, secret)];
      if (accessKeyId === undefined || accessKeySecret === undefined) return undefined;
      return withoutEmpty({ accessKeyId, accessKeySecret, securityToken: given(env, token) });
    },
  };
}

function oidcSources(env: Environment): OssCredentialSource[] {
  const roleArn = given(env, 'ALIBABA_CLOUD_ROLE_ARN');
  const providerArn = given(env, 'ALIBABA_CLOUD_OIDC_PROVIDER_ARN');
  const tokenFile = given(env, 'ALIBABA_CLOUD_OIDC_TOKEN_FILE');
  if (roleArn === undefined || providerArn === undefined || tokenFile === undefined) return [];
  const sessionName = given(env, 'ALIBABA_CLOUD_ROLE_SESSION_NAME');
  return [oidcRoleSource({ roleArn, providerArn, tokenFile, sessionName, stsUrl: stsUrl(env) })];
}

/** Pods reach the service of their region inside the network of the cloud where they cannot reach the public one. */
function stsUrl(env: Environment): string {
  const region = given(env, 'ALIBABA_CLOUD_STS_REGION');
  if (region === undefined) return 'https://sts.aliyuncs.com';
  const inside = given(env, 'ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED')?.toLowerCase() === 'true';
  return `https://sts${inside ? '-vpc' : ''}.${region}.aliyuncs.com`;
}

function ecsSources(env: Environment): OssCredentialSource[] {
  if (given(env, 'ALIBABA_CLOUD_ECS_METADATA_DISABLED')?.toLowerCase() === 'true') return [];
  const hardenedOnly = given(env, 'ALIBABA_CLOUD_IMDSV1_DISABLED')?.toLowerCase() === 'true';
  return [ecsRoleSource({ role: given(env, 'ALIBABA_CLOUD_ECS_METADATA'), hardenedOnly })];
}

function given(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}
