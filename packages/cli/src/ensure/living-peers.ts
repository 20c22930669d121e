import { connect } from 'node:net';
import type { MemberSpec } from '@etcd-ops/core';

const CONNECT_TIMEOUT_MS = 2_000;

/** Peer URLs of the other members at which somebody listens. */
export async function livingPeers(members: readonly MemberSpec[], own: string): Promise<string[]> {
  const urls = members.filter(({ name }) => name !== own).flatMap(({ peerUrls }) => peerUrls);
  const found = await Promise.all(urls.map(async (url) => ((await listens(url)) ? [url] : [])));
  return found.flat();
}

async function listens(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  if (!protocol.startsWith('http')) return false;
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return await new Promise((resolve) => {
    const socket = connect({ host, port: Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port) });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
