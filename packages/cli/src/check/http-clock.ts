import { readFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseEndpoint, type EtcdTlsAccess } from '@etcd-ops/etcd-client';

const TIMEOUT_MS = 5_000;

/**
 * How far the clock of a member is ahead of ours: etcd's API has no time in it, but each answer of its HTTP side has a `Date`, in whole
 * seconds. Undefined when it does not tell, whatever the reason: it is asked for nothing else.
 */
export async function clockAheadOf(endpoint: string, tls: EtcdTlsAccess | undefined): Promise<number | undefined> {
  try {
    const { target, secure } = parseEndpoint(endpoint, tls);
    const read = async (path: string | undefined): Promise<Buffer | undefined> =>
      path === undefined ? undefined : await readFile(path);
    const [ca, cert, key] = await Promise.all([read(tls?.caFile), read(tls?.certFile), read(tls?.keyFile)]);
    const options = {
      method: 'GET',
      timeout: TIMEOUT_MS,
      agent: false as const,
      ...(secure ? { ca, cert, key, rejectUnauthorized: tls?.insecureSkipVerify !== true } : {}),
    };
    const url = `${secure ? 'https' : 'http'}://${target}/version`;
    const askedMs = Date.now();
    const date = await dateOf(url, secure ? requestHttps : requestHttp, options);
    const answeredMs = Date.now();
    const serverMs = date === undefined ? Number.NaN : Date.parse(date);
    if (Number.isNaN(serverMs)) return undefined;
    // Its second began up to a second before, and the answer was made between question and answer.
    const aheadMs = serverMs + 500 - (askedMs + answeredMs) / 2;
    const doubtMs = 500 + (answeredMs - askedMs) / 2;
    return Math.sign(aheadMs) * Math.max(0, Math.abs(aheadMs) - doubtMs);
  } catch {
    return undefined;
  }
}

function dateOf(
  url: string,
  request: typeof requestHttp,
  options: Parameters<typeof requestHttp>[1],
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (answer) => {
      answer.resume();
      resolve(answer.headers.date);
      asked.destroy();
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end();
  });
}
