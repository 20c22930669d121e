import { expect, test } from 'vitest';
import { EtcdOpsError } from '../base/errors.ts';
import { asUnopened, blaming, DamagedObjectError } from './damaged-object.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

test('only what says that bytes are wrong blames the object', async () => {
  const throwing = async (error: Error): Promise<unknown> =>
    await blaming('a/full', () => Promise.reject(error)).catch((thrown: unknown) => thrown);
  const damage = await throwing(new EtcdOpsError('BOLT_DAMAGED', { message: 'page 7' }));
  expect(damage).toBeInstanceOf(DamagedObjectError);
  expect(damage).toMatchObject({ code: 'BOLT_DAMAGED', objectKey: 'a/full', message: 'a/full: page 7' });
  const named = new DamagedObjectError('DELTA_DAMAGED', 'a/delta', { rule: 'x' });
  expect(await throwing(named)).toBe(named);
  for (const error of [
    new EtcdOpsError('STORE_FAILED', { message: 'x' }),
    new EtcdOpsError('CANCELLED', { message: 'x' }),
    systemError('EIO'),
  ]) {
    expect(await throwing(error)).toBe(error);
  }
});

test('an object that may not be read now is not damaged', () => {
  expect(asUnopened('a', systemError('ENOENT'))).toBeInstanceOf(DamagedObjectError);
  expect(asUnopened('a', systemError('EACCES'))).not.toBeInstanceOf(DamagedObjectError);
  expect(asUnopened('a', systemError('EMFILE')).code).toBe('STORE_FAILED');
});
