import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { decryptBuffer, encryptBuffer } from './age-buffer.ts';
import { ageHeaderBytes } from './age-header.ts';
import { AGE_CHUNK_BYTES, plainBytesOf, sealedBytesOf } from './age-payload.ts';
import { assertOpens, openAgeSource, readSourceFacts, type ByteSource } from './age-source.ts';
import { decryptStage, encryptStage } from './age-stream.ts';
import { identitiesOf, SAMPLE_KEYS, sampleIdentities, sampleRecipients } from './encryption-samples.ts';
import { checkRecipients } from './recipients.ts';

/** Around every border that there is. */
const SIZES = [0, 1, 100, AGE_CHUNK_BYTES - 1, AGE_CHUNK_BYTES, AGE_CHUNK_BYTES + 1, 3 * AGE_CHUNK_BYTES, 200_001];

async function throughStages(plain: Buffer, portion: number): Promise<Buffer> {
  const portions: Buffer[] = [];
  for (let at = 0; at < plain.length; at += portion) portions.push(plain.subarray(at, at + portion));
  const stored: Buffer[] = [];
  await pipeline(Readable.from(portions), encryptStage(await sampleRecipients(0)), async (chunks) => {
    for await (const chunk of chunks) stored.push(chunk);
  });
  const file = Buffer.concat(stored);
  const cut: Buffer[] = [];
  for (let at = 0; at < file.length; at += portion) cut.push(file.subarray(at, at + portion));
  return await buffer(decryptStage('x', await sampleIdentities(0))(Readable.from(cut)));
}

function sourceOf(bytes: Buffer): ByteSource & { reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    bytes: bytes.length,
    reads,
    read: async (offset, length) => {
      reads.push([offset, length]);
      return bytes.subarray(offset, offset + length);
    },
  };
}

describe('what is written', () => {
  test.each(SIZES)('%d bytes come back, by us and by the library, whoever wrote them', async (size) => {
    const plain = randomBytes(size);
    const stored = await encryptBuffer(plain, await sampleRecipients(0, 1));
    expect(stored.length).toBe(ageHeaderBytes(stored)! + 16 + sealedBytesOf(size));
    expect(plainBytesOf(sealedBytesOf(size))).toBe(size);
    for (const key of [0, 1]) {
      expect((await decryptBuffer('x', stored, await sampleIdentities(key))).equals(plain)).toBe(true);
      const decrypter = new Decrypter();
      decrypter.addIdentity(SAMPLE_KEYS[key]!.identity);
      expect(Buffer.from(await decrypter.decrypt(stored)).equals(plain)).toBe(true);
    }
    const encrypter = new Encrypter();
    encrypter.addRecipient(SAMPLE_KEYS[1].recipient);
    const theirs = Buffer.from(await encrypter.encrypt(plain));
    expect((await decryptBuffer('x', theirs, await sampleIdentities(0, 1))).equals(plain)).toBe(true);
  });

  test('in whatever portions the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 * AGE_CHUNK_BYTES + 50),
        fc.constantFrom(997, AGE_CHUNK_BYTES - 1, AGE_CHUNK_BYTES, AGE_CHUNK_BYTES + 16, 1_000_000),
        async (size, portion) => {
          const plain = randomBytes(size);
          expect((await throughStages(plain, portion)).equals(plain)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('equal bytes are never stored alike', async () => {
    const recipients = await sampleRecipients(0);
    const [one, other] = [
      await encryptBuffer(Buffer.from('a'), recipients),
      await encryptBuffer(Buffer.from('a'), recipients),
    ];
    expect(one.equals(other)).toBe(false);
  });

  test('a post-quantum recipient', async () => {
    const identity = await generateHybridIdentity();
    const recipients = await checkRecipients([await identityToRecipient(identity)]);
    const stored = await encryptBuffer(Buffer.from('plain'), recipients);
    expect((await decryptBuffer('x', stored, await identitiesOf(identity))).toString()).toBe('plain');
    expect((await readSourceFacts(sourceOf(stored)))?.recipients).toEqual(recipients.fingerprints);
  });
});

describe('ranged reads', () => {
  test('give what a whole read gives, out of the chunks that hold it and no others', async () => {
    const plain = Buffer.from(new Random(7).bytes(5 * AGE_CHUNK_BYTES + 321));
    const stored = await encryptBuffer(plain, await sampleRecipients(0));
    const source = sourceOf(stored);
    const opened = await openAgeSource('x', source, await sampleIdentities(0));
    expect(opened.bytes).toBe(plain.length);
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length - 1), fc.nat(2 * AGE_CHUNK_BYTES), async (offset, wanted) => {
        const length = Math.min(wanted, plain.length - offset);
        source.reads.length = 0;
        expect((await opened.read(offset, length)).equals(plain.subarray(offset, offset + length))).toBe(true);
        const chunks =
          length === 0
            ? 0
            : Math.floor((offset + length - 1) / AGE_CHUNK_BYTES) - Math.floor(offset / AGE_CHUNK_BYTES) + 1;
        expect(source.reads.reduce((sum, [, bytes]) => sum + bytes, 0)).toBeLessThanOrEqual(
          chunks * (AGE_CHUNK_BYTES + 16),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('facts and the question whether a key fits cost one small read', async () => {
    const stored = await encryptBuffer(randomBytes(300_000), await sampleRecipients(0, 1));
    const source = sourceOf(stored);
    expect((await readSourceFacts(source))?.recipients).toEqual((await sampleRecipients(0, 1)).fingerprints);
    await assertOpens('x', source, await sampleIdentities(1));
    expect(source.reads).toEqual([
      [0, 4096],
      [0, 4096],
    ]);
  });
});

describe('what is not opened', () => {
  test('without a key, and with another one, the object, its recipients and the way out are named', async () => {
    const stored = await encryptBuffer(Buffer.from('secret'), await sampleRecipients(0));
    const [fingerprint] = (await sampleRecipients(0)).fingerprints;
    for (const identities of [undefined, await sampleIdentities(1)]) {
      const failure = decryptBuffer('prod/t00000001/x.delta.age', stored, identities);
      await expect(failure).rejects.toMatchObject({
        code: 'IDENTITY_MISSING',
        exitCode: 13,
        message: expect.stringContaining('prod/t00000001/x.delta.age'),
        remedy: expect.stringContaining('--identity-file'),
      });
      await expect(failure).rejects.toThrow(fingerprint!);
      await expect(openAgeSource('y', sourceOf(stored), identities)).rejects.toMatchObject({
        code: 'IDENTITY_MISSING',
      });
    }
  });

  test('a file of another program does not say whom it is for', async () => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(SAMPLE_KEYS[0].recipient);
    const theirs = Buffer.from(await encrypter.encrypt('x'));
    await expect(decryptBuffer('x', theirs, await sampleIdentities(1))).rejects.toThrow(/does not name/);
    expect(await readSourceFacts(sourceOf(theirs))).toBeUndefined();
  });
});

describe('damage', () => {
  const seen = async (stored: Buffer): Promise<{ failure: unknown; bytes: number }> => {
    let bytes = 0;
    try {
      const plain = decryptStage('x', await sampleIdentities(0))(Readable.from([stored]));
      for await (const chunk of plain) bytes += chunk.length;
      return { failure: undefined, bytes };
    } catch (failure) {
      return { failure, bytes };
    }
  };

  test('every changed byte of a small file is damage, and no plain byte comes out', async () => {
    const stored = await encryptBuffer(Buffer.from('some plain bytes'), await sampleRecipients(0));
    for (let at = 0; at < stored.length; at++) {
      for (const bit of [at % 8]) {
        const changed = Buffer.from(stored);
        changed[at]! ^= 1 << bit;
        const { failure, bytes } = await seen(changed);
        expect(failure, `byte ${at}`).toMatchObject({ code: 'OBJECT_DAMAGED' });
        expect(bytes).toBe(0);
        const opening = openAgeSource('x', sourceOf(changed), await sampleIdentities(0)).then((source) =>
          source.read(0, source.bytes),
        );
        await expect(opening, `byte ${at}`).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
      }
    }
  });

  test('every length that it is cut to or extended to is damage', async () => {
    const stored = await encryptBuffer(Buffer.from('some plain bytes'), await sampleRecipients(0));
    const lengths = Array.from({ length: stored.length }, (_, length) => length);
    for (const changed of [
      ...lengths.map((length) => stored.subarray(0, length)),
      Buffer.concat([stored, Buffer.from([0])]),
    ]) {
      expect((await seen(changed)).failure, `${changed.length} bytes`).toMatchObject({ code: 'OBJECT_DAMAGED' });
      const opening = sampleIdentities(0).then((identities) => openAgeSource('x', sourceOf(changed), identities));
      await expect(opening.then((source) => source.read(0, source.bytes))).rejects.toMatchObject({
        code: 'OBJECT_DAMAGED',
      });
    }
  });

  test('chunks that are left out, exchanged, repeated or cut between two are damage', async () => {
    const size = 4 * AGE_CHUNK_BYTES;
    const stored = await encryptBuffer(randomBytes(size), await sampleRecipients(0));
    const begin = stored.subarray(0, stored.length - sealedBytesOf(size));
    const chunk = (index: number): Buffer =>
      stored.subarray(begin.length).subarray(index * (AGE_CHUNK_BYTES + 16), (index + 1) * (AGE_CHUNK_BYTES + 16));
    for (const order of [
      [0, 1, 2],
      [0, 1],
      [0],
      [],
      [1, 2, 3],
      [0, 2, 1, 3],
      [0, 1, 3],
      [0, 0, 1, 2, 3],
      [0, 1, 2, 3, 3],
      [0, 1, 2, 2],
    ]) {
      const changed = Buffer.concat([begin, ...order.map(chunk)]);
      expect((await seen(changed)).failure, String(order)).toMatchObject({ code: 'OBJECT_DAMAGED' });
      const source = await openAgeSource('x', sourceOf(changed), await sampleIdentities(0)).catch(() => undefined);
      if (source === undefined) continue;
      await expect(source.read(0, source.bytes), String(order)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
      // The end tells whether it is the end.
      if (order.length >= 4) continue;
      await expect(source.read(source.bytes - 1, 1)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    }
  });

  test('a payload of another object with its own header is damage', async () => {
    const recipients = await sampleRecipients(0);
    const [one, other] = [
      await encryptBuffer(Buffer.alloc(50, 1), recipients),
      await encryptBuffer(Buffer.alloc(50, 2), recipients),
    ];
    const at = ageHeaderBytes(one)!;
    expect(ageHeaderBytes(other)).toBe(at);
    expect((await seen(Buffer.concat([one.subarray(0, at), other.subarray(at)]))).failure).toMatchObject({
      code: 'OBJECT_DAMAGED',
    });
  });

  test('a changed byte far behind does not spoil what is read before it', async () => {
    const stored = await encryptBuffer(randomBytes(3 * AGE_CHUNK_BYTES), await sampleRecipients(0));
    stored[stored.length - 5]! ^= 1;
    const source = await openAgeSource('x', sourceOf(stored), await sampleIdentities(0));
    expect((await source.read(0, 10)).length).toBe(10);
    await expect(source.read(2 * AGE_CHUNK_BYTES, 10)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });

  test('an armored file says what it is', async () => {
    const armored = Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n');
    await expect(decryptBuffer('x', armored, await sampleIdentities(0))).rejects.toThrow(/armored/);
  });
});
