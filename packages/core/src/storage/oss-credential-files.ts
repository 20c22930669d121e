import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { EtcdOpsError } from '../base/errors.ts';
import { CredentialFiles, type CredentialPlace } from './credential-files.ts';
import { systemErrorCode } from './local-errors.ts';
import type { OssCredentials, OssCredentialSource } from './oss-credentials.ts';

const FILE_BYTES_MAX = 64 * 1024;

/** The seed's directory of files, or gardener's file of JSON: `accessKeyID`, `accessKeySecret`, `storageEndpoint`; ours also `securityToken`, `region`. */
export function credentialPlace(place: CredentialPlace): OssCredentialSource {
  const files = new CredentialFiles(place);
  return {
    name: `the ${'directory' in place ? 'directory' : 'file'} ${files.path}`,
    read: async () => {
      const values = await files.read();
      files.require(values, ['accessKeyID', 'accessKeySecret']);
      const { accessKeyID = '', accessKeySecret = '', storageEndpoint, securityToken, region } = values;
      return withoutEmpty({
        accessKeyId: accessKeyID,
        accessKeySecret,
        endpoint: storageEndpoint,
        securityToken,
        region,
      });
    },
  };
}

const profilesSchema = z.object({
  current: z.string().optional(),
  profiles: z.array(
    z.object({
      name: z.string(),
      mode: z.string().optional(),
      access_key_id: z.string().optional(),
      access_key_secret: z.string().optional(),
      sts_token: z.string().optional(),
      region_id: z.string().optional(),
    }),
  ),
});

/**
 * The configuration of the `aliyun` command, profiles of the modes `AK` and `StsToken`. Without a name, its current profile, and
 * nothing when that is of another mode; a profile that is asked for by name must be usable.
 */
export function credentialProfile(path: string, wanted: string | undefined): OssCredentialSource {
  const name = wanted === undefined ? `the file ${path}` : `the profile ${wanted} of ${path}`;
  return {
    name,
    read: async () => {
      const text = await readText(path, name);
      const config = text === undefined ? undefined : parseJson(text, profilesSchema, name);
      const profile = config?.profiles.find((candidate) => candidate.name === (wanted ?? config.current));
      if (profile === undefined || !['AK', 'StsToken', undefined].includes(profile.mode)) {
        if (wanted === undefined) return undefined;
        throw unusable(name, 'there is no such profile of the mode AK or StsToken');
      }
      const {
        access_key_id: accessKeyId = '',
        access_key_secret: accessKeySecret = '',
        sts_token: token,
        region_id: region,
      } = profile;
      const securityToken = profile.mode === 'StsToken' ? token : undefined;
      if (accessKeyId === '' || accessKeySecret === '') throw unusable(name, 'the profile holds no key');
      return withoutEmpty({ accessKeyId, accessKeySecret, securityToken, region });
    },
  };
}

type Found = { [Field in keyof OssCredentials]?: OssCredentials[Field] | undefined };

/** Trims what is there, and leaves out what is not. */
export function withoutEmpty(found: Found & { accessKeyId: string; accessKeySecret: string }): OssCredentials {
  const { accessKeyId, accessKeySecret, securityToken, endpoint, region, expiresAtMs } = found;
  const text = (field: string, value: string | undefined): object =>
    value === undefined || value.trim() === '' ? {} : { [field]: value.trim() };
  return {
    accessKeyId: accessKeyId.trim(),
    accessKeySecret: accessKeySecret.trim(),
    ...text('securityToken', securityToken),
    ...text('endpoint', endpoint),
    ...text('region', region),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
}

async function readText(path: string, name: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > FILE_BYTES_MAX) throw unusable(name, `${path} is larger than a key can be`);
    return text;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === '') throw error;
    throw unusable(name, `${path} cannot be read (${code})`);
  }
}

/** What the parser says is left out: it would repeat the text. */
function parseJson<T>(text: string, schema: z.ZodType<T>, name: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unusable(name, 'it is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unusable(name, `it lacks ${parsed.error.issues.map(({ path }) => path.join('.')).join(', ')}`);
}

function unusable(name: string, reason: string): EtcdOpsError {
  return new EtcdOpsError('STORE_CREDENTIALS', {
    message: `The credentials for OSS in ${name} cannot be used: ${reason}`,
    remedy: 'Name a profile of the mode AK or StsToken of a file that the user that etcd-ops runs as may read.',
  });
}
