import { buffer } from 'node:stream/consumers';
import { decryptStage, encryptStage } from './age-stream.ts';
import type { ClearDeltaFacts } from './clear-facts.ts';
import type { Identities } from './identities.ts';
import type { Recipients } from './recipients.ts';

/** An age file of bytes in memory. */
export async function encryptBuffer(plain: Buffer, recipients: Recipients, delta?: ClearDeltaFacts): Promise<Buffer> {
  return await buffer(encryptStage(recipients, delta)(one(plain)));
}

/** @throws EtcdOpsError IDENTITY_MISSING naming the object, OBJECT_DAMAGED. */
export async function decryptBuffer(name: string, stored: Buffer, identities: Identities | undefined): Promise<Buffer> {
  return await buffer(decryptStage(name, identities)(one(stored)));
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
