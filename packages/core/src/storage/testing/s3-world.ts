import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Server, type S3Account, type S3ServerOptions } from '@etcd-ops/local-servers';
import type { ObjectStore } from '../object-store.ts';
import { openStore, type OpenStoreOptions } from '../open-store.ts';
import type { S3StoreSpec } from '../store-spec.ts';

export const ACCOUNT: S3Account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'the/secret+of/these=tests' };
export const BUCKET = 'backups';

/** A server and a folder of credentials that fit it. */
export class S3World implements AsyncDisposable {
  readonly server: S3Server;
  /** As the seed tool has it: a file for each value. */
  readonly credentials: string;
  readonly directory: string;

  private constructor(server: S3Server, directory: string) {
    this.server = server;
    this.directory = directory;
    this.credentials = join(directory, 'credentials');
  }

  static async start(options: Partial<S3ServerOptions> = {}): Promise<S3World> {
    const server = await S3Server.start({ accounts: [ACCOUNT], buckets: [BUCKET], ...options });
    const world = new S3World(server, await mkdtemp(join(tmpdir(), 's3-world-')));
    await world.writeCredentials({ accessKeyID: ACCOUNT.accessKeyId, secretAccessKey: ACCOUNT.secretAccessKey });
    return world;
  }

  async writeCredentials(values: Readonly<Record<string, string>>): Promise<void> {
    await rm(this.credentials, { recursive: true, force: true });
    await mkdir(this.credentials);
    for (const [name, value] of Object.entries(values)) await writeFile(join(this.credentials, name), value);
  }

  spec(spec: Partial<S3StoreSpec> = {}): S3StoreSpec {
    const { endpoint } = this.server;
    return { provider: 'S3', bucket: BUCKET, endpoint, credentials: { directory: this.credentials }, ...spec };
  }

  async open(spec: Partial<S3StoreSpec> = {}, options: OpenStoreOptions = {}): Promise<ObjectStore> {
    return await openStore(this.spec(spec), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
