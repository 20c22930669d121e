import { createHash } from 'node:crypto';
import { describe, expect, test, type TestContext } from 'vitest';
import {
  createAuthority,
  etcdVersions,
  eventually,
  faultProxy,
  missingBinary,
  missingOpenssl,
  startEtcd,
  tempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { EtcdMember, openEtcd3 } from './index.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const VALUE = Buffer.alloc(1_000_000, 'x');
const PUTS = 20;
/** What may be between etcd and a consumer that does not ask: window, queue, socket buffers, the proxy. */
const UNDERWAY_BYTES_MAX = 14 * 1024 * 1024;

/** Some 20 MB: more than all buffers on the way. */
async function fill(etcd: TestEtcd): Promise<void> {
  const client = await openEtcd3({ endpoints: etcd.endpoints });
  for (let put = 0; put < PUTS; put++) await client.put(`key-${put}`).value(VALUE);
  client.close();
}

async function rest(snapshot: AsyncIterator<Buffer>): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for (;;) {
    const next = await snapshot.next();
    if (next.done === true) return Buffer.concat(blocks);
    blocks.push(next.value);
  }
}

function assertWhole(bytes: Buffer): void {
  expect(bytes.length % 512).toBe(32);
  expect(createHash('sha256').update(bytes.subarray(0, -32)).digest()).toEqual(bytes.subarray(-32));
}

describe('a snapshot', () => {
  test('held back, cut, killed: nothing stays open', { timeout: 120_000 }, async (context) => {
    if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
    await using etcd = await startEtcd();
    await fill(etcd);
    await using proxy = await faultProxy(etcd.endpoint);
    using member = new EtcdMember(proxy.url, { endpoints: [] });
    const open = (options = {}) => member.snapshot(options)[Symbol.asyncIterator]();
    const closed = () => eventually(() => proxy.connectionCount === 0);

    // A consumer that does not ask: etcd is held back, and nothing is lost by it.
    const slow = open();
    const first = (await slow.next()).value as Buffer;
    let before = -1;
    await eventually(
      () => {
        const isStill = proxy.bytesDown === before;
        before = proxy.bytesDown;
        return isStill;
      },
      { intervalMs: 300, timeoutMs: 60_000 },
    );
    expect(proxy.bytesDown).toBeLessThan(UNDERWAY_BYTES_MAX);
    const whole = Buffer.concat([first, await rest(slow)]);
    expect(whole.length).toBeGreaterThan(UNDERWAY_BYTES_MAX);
    assertWhole(whole);
    await closed();

    // Recycled blocks hold the same bytes while they are valid.
    const copies: Buffer[] = [];
    for await (const block of member.snapshot({ recycle: true })) copies.push(Buffer.from(block));
    assertWhole(Buffer.concat(copies));
    await closed();

    // Left early, aborted in the middle.
    for await (const block of member.snapshot()) if (block.length > 0) break;
    await closed();
    const controller = new AbortController();
    const aborted = open({ signal: controller.signal });
    await aborted.next();
    controller.abort(new Error('enough'));
    await expect(rest(aborted)).rejects.toThrow(code('CANCELLED'));
    await closed();

    // One side of the connection ends; the network swallows all; a reset.
    proxy.faults.bytesPerSecondMax = 2_000_000;
    const half = open();
    await half.next();
    proxy.halfClose();
    await expect(rest(half)).rejects.toThrow(code('ETCD_UNREACHABLE'));
    await closed();
    const silent = open({ silenceTimeoutMs: 300 });
    await silent.next();
    proxy.faults.blackHole = true;
    await expect(rest(silent)).rejects.toThrow(code('ETCD_TIMEOUT'));
    proxy.faults.blackHole = false;
    await closed();
    const reset = open();
    await reset.next();
    proxy.cut();
    await expect(rest(reset)).rejects.toThrow(code('ETCD_UNREACHABLE'));
    await closed();

    const killed = open();
    await killed.next();
    await etcd.members[0]!.kill();
    await expect(rest(killed)).rejects.toThrow(code('ETCD_UNREACHABLE'));
    await closed();
    proxy.faults.refuse = true;
    await expect(open().next()).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining(proxy.url) }),
    );
  });

  test('over TLS, and what is said when TLS fails', { timeout: 60_000 }, async (context) => {
    skipWithout(context);
    await using dir = tempDir();
    const authority = createAuthority(dir.path, 'good');
    const good = authority.issue('member');
    const stranger = createAuthority(dir.path, 'stranger').issue('client');
    await using etcd = await startEtcd({ tls: { ...good, clientCertAuth: true } });
    const snapshotOf = async (endpoint: string, tls: object) => {
      using member = new EtcdMember(endpoint, { endpoints: [], tls });
      return await rest(member.snapshot()[Symbol.asyncIterator]());
    };
    assertWhole(await snapshotOf(etcd.endpoint, good));
    assertWhole(await snapshotOf(etcd.endpoint.replace('127.0.0.1', 'localhost'), good));
    const { caFile, certFile, keyFile } = good;
    assertWhole(await snapshotOf(etcd.endpoint, { certFile, keyFile, insecureSkipVerify: true }));
    const plain = etcd.endpoint.replace('https', 'http');
    for (const [endpoint, tls, text] of [
      [etcd.endpoint, { certFile, keyFile }, 'give the CA file'],
      [etcd.endpoint, { ...good, caFile: stranger.caFile }, `is not signed by a CA in ${stranger.caFile}`],
      [etcd.endpoint, { caFile }, 'the server asks for a client certificate'],
      [etcd.endpoint, { ...stranger, caFile }, stranger.certFile],
      [plain, {}, 'use https://'],
    ] as const) {
      await expect(snapshotOf(endpoint, tls)).rejects.toThrow(
        expect.objectContaining({ code: 'ETCD_TLS', message: expect.stringContaining(text) }),
      );
    }
  });
});

function skipWithout(context: TestContext): void {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  const reason = missingOpenssl();
  if (reason !== undefined) context.skip(reason);
}
