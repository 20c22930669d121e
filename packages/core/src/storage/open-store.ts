import { EtcdOpsError } from '../base/errors.ts';
import type { ObjectStore } from './object-store.ts';
import { STORE_PROVIDERS, type StoreSpec } from './store-spec.ts';

/**
 * Opens the store that a spec names. The adapter's code is loaded only now, so that a process pays for no SDK that it does not use.
 * @throws EtcdOpsError CONFIG_INVALID for a provider that this version does not support.
 */
export async function openStore(spec: StoreSpec): Promise<ObjectStore> {
  switch (spec.provider) {
    case 'Local': {
      const { LocalStore } = await import('./local-store.ts');
      return new LocalStore(spec.bucket);
    }
    case 'OSS': {
      const [{ openOssBucket }, { remoteStoreOf }] = await Promise.all([
        import('./oss-open.ts'),
        import('./open-remote.ts'),
      ]);
      return remoteStoreOf(await openOssBucket(spec), spec);
    }
    default:
      throw new EtcdOpsError('CONFIG_INVALID', {
        message: `The store provider ${JSON.stringify(spec.provider)} is not supported by this version`,
        remedy: `Use one of: ${STORE_PROVIDERS.filter((name) => name !== 'S3').join(', ')}.`,
      });
  }
}
