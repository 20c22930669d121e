import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { EtcdOpsError } from '../base/errors.ts';
import type { OssCredentials, OssCredentialSource } from './oss-credentials.ts';

const METADATA_URL = 'http://100.100.100.200';
/** The service is on the machine's own network: it answers at once, or this is no machine of Alibaba Cloud. */
const METADATA_TIMEOUT_MS = 2000;
const STS_TIMEOUT_MS = 15_000;
const SESSION_SECONDS = 3600;
const ROLE_NAME = /^[A-Za-z0-9._@-]{1,128}$/;

export interface EcsRoleOptions {
  /** Without it, the role that the machine has. */
  role?: string | undefined;
  /** Refuses to ask without a session token of the metadata service. */
  hardenedOnly?: boolean;
  baseUrl?: string;
  timeoutMs?: number;
}

const metadataSchema = z.object({
  Code: z.literal('Success'),
  AccessKeyId: z.string().min(1),
  AccessKeySecret: z.string().min(1),
  SecurityToken: z.string().min(1),
  Expiration: z.string(),
});

/** The RAM role of the machine (ECS), from its metadata service; nothing where there is no such service or no role. */
export function ecsRoleSource({
  role,
  hardenedOnly = false,
  baseUrl = METADATA_URL,
  timeoutMs = METADATA_TIMEOUT_MS,
}: EcsRoleOptions): OssCredentialSource {
  const name = role === undefined ? 'the RAM role of this machine' : `the RAM role ${role} of this machine`;
  const roles = `${baseUrl}/latest/meta-data/ram/security-credentials/`;
  const ask = async (url: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  return {
    name,
    read: async () => {
      let token: string | undefined;
      try {
        token = await metadataToken(ask, baseUrl);
      } catch (error) {
        if (role === undefined) return undefined;
        throw unreachable(name, 'the metadata service does not answer', error);
      }
      if (token === undefined && hardenedOnly) throw unusable(name, 'the metadata service gives no session token');
      const headers: Record<string, string> = token === undefined ? {} : { 'X-aliyun-ecs-metadata-token': token };
      const text = async (url: string): Promise<string | undefined> => {
        const answer = await ask(url, { headers });
        return answer.ok ? (await answer.text()).trim() : undefined;
      };
      const found = role ?? (await text(roles));
      if (found === undefined || found === '') return undefined;
      if (!ROLE_NAME.test(found)) throw unusable(name, 'that is no name of a role');
      const body = await text(`${roles}${found}`);
      if (body === undefined) throw unusable(name, 'the metadata service gives no key for it');
      return temporary(parse(body, metadataSchema, name));
    },
  };
}

async function metadataToken(
  ask: (url: string, init: RequestInit) => Promise<Response>,
  baseUrl: string,
): Promise<string | undefined> {
  const headers = { 'X-aliyun-ecs-metadata-token-ttl-seconds': '21600' };
  const answer = await ask(`${baseUrl}/latest/api/token`, { method: 'PUT', headers });
  return answer.ok ? (await answer.text()).trim() : undefined;
}

export interface OidcRoleOptions {
  roleArn: string;
  providerArn: string;
  /** The token is read again each time: Kubernetes replaces it. */
  tokenFile: string;
  sessionName?: string | undefined;
  /** `https://sts.aliyuncs.com` */
  stsUrl: string;
}

const assumedSchema = z.object({
  Credentials: z.object({
    AccessKeyId: z.string().min(1),
    AccessKeySecret: z.string().min(1),
    SecurityToken: z.string().min(1),
    Expiration: z.string(),
  }),
});
const refusalSchema = z.object({ Code: z.string().max(200) });

/** A RAM role that a service account of Kubernetes may take (RRSA): its token is exchanged for a temporary key. */
export function oidcRoleSource({
  roleArn,
  providerArn,
  tokenFile,
  sessionName,
  stsUrl,
}: OidcRoleOptions): OssCredentialSource {
  const name = `the RAM role ${roleArn} by OIDC`;
  return {
    name,
    read: async () => {
      const token = await readToken(tokenFile, name);
      const url = new URL(stsUrl);
      url.search = new URLSearchParams({
        Action: 'AssumeRoleWithOIDC',
        Version: '2015-04-01',
        Format: 'JSON',
        Timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      }).toString();
      const body = new URLSearchParams({
        RoleArn: roleArn,
        OIDCProviderArn: providerArn,
        OIDCToken: token,
        RoleSessionName: sessionName ?? 'etcd-ops',
        DurationSeconds: String(SESSION_SECONDS),
      });
      let answer: Response;
      let text: string;
      try {
        answer = await fetch(url, {
          method: 'POST',
          body,
          redirect: 'error',
          signal: AbortSignal.timeout(STS_TIMEOUT_MS),
        });
        text = await answer.text();
      } catch (error) {
        throw unreachable(name, `${url.host} does not answer`, error);
      }
      if (!answer.ok) throw unusable(name, `${url.host} refuses with ${refusalCode(text)} (${answer.status})`);
      return temporary(parse(text, assumedSchema, name).Credentials);
    },
  };
}

async function readToken(tokenFile: string, name: string): Promise<string> {
  try {
    return (await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw unusable(name, `the token file ${tokenFile} cannot be read`, error);
  }
}

function temporary(found: {
  AccessKeyId: string;
  AccessKeySecret: string;
  SecurityToken: string;
  Expiration: string;
}): OssCredentials {
  const expiresAtMs = Date.parse(found.Expiration);
  return {
    accessKeyId: found.AccessKeyId,
    accessKeySecret: found.AccessKeySecret,
    securityToken: found.SecurityToken,
    ...(Number.isNaN(expiresAtMs) ? {} : { expiresAtMs }),
  };
}

function parse<T>(text: string, schema: z.ZodType<T>, name: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // The reason would repeat parts of the answer.
    throw unusable(name, 'the answer holds no key');
  }
}

function refusalCode(text: string): string {
  try {
    return refusalSchema.parse(JSON.parse(text)).Code;
  } catch {
    return 'an answer that is not understood';
  }
}

function unusable(name: string, reason: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('STORE_CREDENTIALS', {
    message: `No key for OSS could be had from ${name}: ${reason}`,
    remedy:
      'Check that the role exists, that it trusts this machine or service account, and that its service can be reached.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function unreachable(name: string, reason: string, cause: unknown): EtcdOpsError {
  return new EtcdOpsError('STORE_UNREACHABLE', {
    message: `No key for OSS could be had from ${name}: ${reason}`,
    remedy: 'Check the network between here and the service that gives out keys; it is tried again by itself.',
    cause,
  });
}
