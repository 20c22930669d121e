import type { Clock } from '../base/clock.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { meteredStore, type StoreMeter } from './metered-store.ts';
import type { ObjectStore } from './object-store.ts';
import { STORE_PROVIDERS, type StoreSpec } from './store-spec.ts';

export interface OpenStoreOptions {
  /** Told of each operation. */
  meter?: StoreMeter | undefined;
  clock?: Clock;
  random?: () => number;
}

/**
 * Opens the store that a spec names: nothing is sent yet. An adapter's code is loaded only now, so that a process pays for no SDK that it
 * does not use. Open a store once per process: its limits hold for what goes through it.
 * @throws EtcdOpsError CONFIG_INVALID for a provider that this version does not support.
 */
export async function openStore(spec: StoreSpec, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const store = await openPlain(spec, options);
  return options.meter === undefined ? store : meteredStore(store, options.meter);
}

async function openPlain(spec: StoreSpec, options: OpenStoreOptions): Promise<ObjectStore> {
  const { provider } = spec;
  switch (provider) {
    case 'Local': {
      const { LocalStore } = await import('./local-store.ts');
      return new LocalStore(spec.bucket);
    }
    case 'S3': {
      const [{ S3Bucket }, { remoteStoreOf }] = await Promise.all([
        import('./s3-bucket.ts'),
        import('./open-remote.ts'),
      ]);
      return remoteStoreOf(new S3Bucket(spec), spec, options);
    }
    case 'OSS': {
      const [{ openOssBucket }, { remoteStoreOf }] = await Promise.all([
        import('./oss-open.ts'),
        import('./open-remote.ts'),
      ]);
      return remoteStoreOf(await openOssBucket(spec), spec, options);
    }
    default:
      throw new EtcdOpsError('CONFIG_INVALID', {
        message: `The store provider ${JSON.stringify(provider satisfies never)} is not supported by this version`,
        remedy: `Use one of: ${STORE_PROVIDERS.join(', ')}.`,
      });
  }
}
