import type { S3Client } from '@aws-sdk/client-s3';
import { EtcdOpsError } from '../base/errors.ts';
import type { RequestOptions } from './remote-bucket.ts';
import { createS3Client } from './s3-client.ts';
import { readS3Failure, s3StoreFailure, type S3Failure } from './s3-errors.ts';
import { S3SettingsSource, type Environment, type S3Identity, type S3Settings } from './s3-settings.ts';
import type { S3StoreSpec } from './store-spec.ts';

export type S3Request<Result> = (client: S3Client, options: { abortSignal?: AbortSignal }) => Promise<Result>;
/** Sends one command. It throws what the SDK throws, for whoever knows the meaning of an answer. */
export type S3Send = <Result>(request: S3Request<Result>) => Promise<Result>;

/** The client for what credentials and settings say now, and the words for what goes wrong with it. */
export class S3Connection {
  readonly #spec: S3StoreSpec;
  readonly #source: S3SettingsSource;
  #current: { client: S3Client; settings: S3Settings } | undefined;
  /** Of the last identity that was used, so that they are never told. */
  #secrets: string[] = [];
  /** How far the store's clock was ahead of ours at its last answer. */
  clockAheadMs: number | undefined;

  constructor(spec: S3StoreSpec, environment: Environment) {
    this.#spec = spec;
    this.#source = new S3SettingsSource(spec, environment);
  }

  get description(): string {
    const endpoint = this.#current?.settings.endpoint ?? this.#spec.endpoint;
    return `S3 ${this.#spec.bucket}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  }

  /** @throws EtcdOpsError, whatever was thrown. */
  async run<Result>(
    action: string,
    { signal }: RequestOptions,
    work: (send: S3Send) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#client();
    const options = signal === undefined ? {} : { abortSignal: signal };
    const send: S3Send = async (request) => {
      try {
        return await request(client, options);
      } catch (error) {
        // The clocks differ, and the SDK now knows by how much: the very same request counts when it is signed anew.
        if (!readS3Failure(error).clockCorrected) throw error;
        return await request(client, options);
      }
    };
    try {
      return await work(send);
    } catch (error) {
      if (error instanceof EtcdOpsError) throw error;
      throw this.#failure(action, readS3Failure(error));
    }
  }

  /** As `run`, for a single command whose failures mean nothing more. */
  async request<Result>(action: string, options: RequestOptions, request: S3Request<Result>): Promise<Result> {
    return await this.run(action, options, async (send) => await send(request));
  }

  close(): void {
    this.#current?.client.destroy();
    this.#current = undefined;
  }

  #failure(action: string, failure: S3Failure): EtcdOpsError {
    if (failure.reason === 'Region is missing' || failure.detail.includes('Region is missing')) {
      return new EtcdOpsError('CONFIG_INVALID', {
        message: `The region of ${this.description} is not known`,
        remedy: 'Give --store-region, AWS_REGION or a file named region beside the credentials.',
      });
    }
    return s3StoreFailure(failure, { action, store: this.description, secrets: this.#secrets });
  }

  /** The client for what the files say now: a new one only when more than the keys changed. */
  async #client(): Promise<S3Client> {
    const settings = await this.#source.read();
    this.#rememberSecrets(settings.identity);
    if (this.#current !== undefined && sameWay(this.#current.settings, settings)) return this.#current.client;
    const client = createS3Client({
      spec: this.#spec,
      settings,
      identity: async () => {
        const { identity } = await this.#source.read();
        this.#rememberSecrets(identity);
        return identity;
      },
      onServerTime: (serverTimeMs) => (this.clockAheadMs = serverTimeMs - Date.now()),
    });
    // Requests of the old client end by themselves; its idle connections are closed by their keep-alive.
    this.#current = { client, settings };
    return client;
  }

  #rememberSecrets(identity: S3Identity): void {
    if (identity.kind !== 'keys') return;
    this.#secrets = [identity.secretAccessKey, ...(identity.sessionToken === undefined ? [] : [identity.sessionToken])];
  }
}

function sameWay(left: S3Settings, right: S3Settings): boolean {
  const way = ({ identity, ...rest }: S3Settings): string =>
    JSON.stringify([rest, identity.kind === 'keys' ? 'keys' : identity]);
  return way(left) === way(right);
}
