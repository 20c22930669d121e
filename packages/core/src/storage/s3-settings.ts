import { readFile } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import { CredentialFiles, type CredentialValues } from './credential-files.ts';
import type { S3StoreSpec, StoreCredentials } from './store-spec.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How a bucket is reached: what the spec says, completed by what lies beside the credentials. */
export interface S3Settings {
  endpoint: string | undefined;
  region: string | undefined;
  forcePathStyle: boolean;
  insecureSkipVerify: boolean;
  /** PEM */
  ca: string | undefined;
  identity: S3Identity;
}

export type S3Identity =
  | { kind: 'keys'; accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  /** A role that is taken on with a token of somebody else's (IRSA, workload identity). */
  | { kind: 'role'; roleArn: string; tokenFile: string }
  /** As the SDK finds it: environment, shared configuration, web identity, metadata service. */
  | { kind: 'sdk'; profile?: string };

/** Where credentials are read from, decided once; what is there, at every call. */
export class S3SettingsSource {
  readonly #spec: S3StoreSpec;
  readonly #files: CredentialFiles | undefined;

  constructor(spec: S3StoreSpec, environment: Environment) {
    this.#spec = spec;
    this.#files = credentialFiles(spec.credentials, environment);
  }

  /** @throws EtcdOpsError STORE_CREDENTIALS, CONFIG_INVALID. */
  async read(): Promise<S3Settings> {
    const spec = this.#spec;
    const values = (await this.#files?.read()) ?? {};
    const endpoint = withScheme(spec.endpoint ?? values['endpoint']);
    return {
      endpoint,
      region: spec.region ?? values['region'],
      forcePathStyle:
        spec.forcePathStyle ?? booleanOf(values['s3ForcePathStyle']) ?? needsPathStyle(spec.bucket, endpoint),
      insecureSkipVerify: spec.insecureSkipVerify ?? booleanOf(values['insecureSkipVerify']) ?? false,
      ca: spec.caFile === undefined ? values['trustedCaCert'] : await readCa(spec.caFile),
      identity: this.#identityOf(values),
    };
  }

  #identityOf(values: CredentialValues): S3Identity {
    const files = this.#files;
    if (files === undefined) {
      const profile = this.#spec.credentials?.profile;
      return { kind: 'sdk', ...(profile === undefined ? {} : { profile }) };
    }
    const { roleARN, tokenPath } = values;
    if (roleARN !== undefined) {
      const tokenFile = tokenPath ?? (values['token'] === undefined ? undefined : `${files.path}/token`);
      if (tokenFile !== undefined) return { kind: 'role', roleArn: roleARN, tokenFile };
    }
    files.require(values, ['accessKeyID', 'secretAccessKey']);
    const sessionToken = values['sessionToken'];
    return {
      kind: 'keys',
      accessKeyId: values['accessKeyID']!,
      secretAccessKey: values['secretAccessKey']!,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    };
  }
}

function credentialFiles(given: StoreCredentials | undefined, environment: Environment): CredentialFiles | undefined {
  if (given?.directory !== undefined) return new CredentialFiles({ directory: given.directory });
  if (given?.file !== undefined) return new CredentialFiles({ file: given.file });
  if (given?.profile !== undefined) return undefined;
  const directory = environment['AWS_APPLICATION_CREDENTIALS'];
  if (directory !== undefined && directory !== '') return new CredentialFiles({ directory });
  const file = environment['AWS_APPLICATION_CREDENTIALS_JSON'];
  return file === undefined || file === '' ? undefined : new CredentialFiles({ file });
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The CA certificates of the store cannot be read from ${path}`,
      remedy: 'Name a readable file of certificates (PEM) with --store-cacert.',
      cause: error,
    });
  }
}

function withScheme(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined || endpoint === '') return undefined;
  return /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`;
}

function booleanOf(value: string | undefined): boolean | undefined {
  if (value === undefined || value === '') return undefined;
  return value.toLowerCase() === 'true';
}

/** A bucket in front of an address is no name, and one with dots fits no wildcard certificate. */
function needsPathStyle(bucket: string, endpoint: string | undefined): boolean {
  if (endpoint === undefined) return bucket.includes('.');
  const { hostname } = new URL(endpoint);
  return bucket.includes('.') || hostname === 'localhost' || /^[\d.]+$|^\[/.test(hostname) || !hostname.includes('.');
}
