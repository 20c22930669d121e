import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Identities, isEtcdOpsError, readRecipients } from '@etcd-ops/core';
import type { ClusterSpec } from '@etcd-ops/bus';
import type { Fleet } from '../up/fleet-file.ts';

const FILE_BYTES_MAX = 1024 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** What this process cannot read, or cannot use, of the files that a cluster names. On a fleet they lie on the hosts of the services. */
export async function clusterFileWarnings(spec: ClusterSpec): Promise<string[]> {
  const { tls = {}, auth, maintenanceAuth, encryption, store, destinations = [] } = spec;
  return [
    ...(await tlsWarnings('tls', tls)),
    ...(await secretWarnings('auth.passwordFile', auth?.passwordFile)),
    ...(await secretWarnings('maintenanceAuth.passwordFile', maintenanceAuth?.passwordFile)),
    ...(encryption === undefined ? [] : await attempt('encryption', () => readRecipients(encryption))),
    ...(await storeWarnings('store', store)),
    ...(
      await Promise.all(destinations.map((one) => storeWarnings(`destinations.${one.name}.store`, one.store)))
    ).flat(),
  ];
}

/** The same for the files that a whole daemon needs. */
export async function settingsFileWarnings({ nats, identityFiles = [] }: Fleet['settings']): Promise<string[]> {
  const { tokenFile, passwordFile, nkeyFile, credsFile, ...tls } = nats ?? {};
  return [
    ...(await tlsWarnings('nats', tls)),
    ...(await secretWarnings('nats.tokenFile', tokenFile)),
    ...(await secretWarnings('nats.passwordFile', passwordFile)),
    ...(await secretWarnings('nats.nkeyFile', nkeyFile)),
    ...(await secretWarnings('nats.credsFile', credsFile)),
    ...(identityFiles.length === 0
      ? []
      : await attempt('identityFiles', () => Identities.fromFiles([...identityFiles]))),
  ];
}

async function storeWarnings(where: string, store: ClusterSpec['store']): Promise<string[]> {
  if (store.provider === 'Local') return [];
  const { caFile, credentials } = store;
  return [
    ...(await tlsWarnings(where, { caFile })),
    ...(await secretWarnings(`${where}.credentials.file`, credentials?.file)),
    ...(await secretWarnings(`${where}.credentials.directory`, credentials?.directory, { isDirectory: true })),
  ];
}

interface TlsFiles {
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
}

async function tlsWarnings(where: string, { caFile, certFile, keyFile }: TlsFiles): Promise<string[]> {
  const warnings: string[] = [];
  const ca = await read(`${where}.caFile`, caFile, warnings);
  if (ca !== undefined) certificatesOf(`${where}.caFile: ${caFile}`, ca, warnings);
  const cert = await read(`${where}.certFile`, certFile, warnings);
  const own = cert === undefined ? undefined : certificatesOf(`${where}.certFile: ${certFile}`, cert, warnings)[0];
  const key = await read(`${where}.keyFile`, keyFile, warnings);
  const privateKey = key === undefined ? undefined : keyOf(`${where}.keyFile: ${keyFile}`, key, warnings);
  if (own !== undefined && privateKey !== undefined && !own.checkPrivateKey(privateKey)) {
    warnings.push(`${where}.keyFile: ${keyFile} is not the key of the certificate ${certFile}`);
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    warnings.push(`${where}: a certificate and its key are needed together; one of certFile and keyFile is missing`);
  }
  return warnings;
}

function certificatesOf(where: string, text: string, warnings: string[]): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) warnings.push(`${where} holds no certificate (PEM)`);
  const found: X509Certificate[] = [];
  for (const block of blocks) {
    try {
      found.push(new X509Certificate(block));
    } catch {
      warnings.push(`${where} holds a certificate that cannot be read`);
    }
  }
  const ended = found.find(({ validTo }) => Date.parse(validTo) < Date.now());
  if (ended !== undefined) warnings.push(`${where} holds a certificate that ended on ${ended.validTo}`);
  return found;
}

function keyOf(where: string, text: string, warnings: string[]): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    warnings.push(`${where} holds no private key that can be read without a password (PEM)`);
    return undefined;
  }
}

async function secretWarnings(
  where: string,
  path: string | undefined,
  { isDirectory = false }: { isDirectory?: boolean } = {},
): Promise<string[]> {
  const warnings: string[] = [];
  const found = await read(where, path, warnings, { isDirectory });
  if (found?.trim() === '' && !isDirectory) warnings.push(`${where}: ${path} is empty`);
  return warnings;
}

/** Undefined where none is named, or where it cannot be read, which is then told. */
async function read(
  where: string,
  path: string | undefined,
  warnings: string[],
  { isDirectory = false }: { isDirectory?: boolean } = {},
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    await using file = await open(path, 'r');
    const facts = await file.stat();
    if (isDirectory !== facts.isDirectory()) {
      warnings.push(`${where}: ${path} is ${isDirectory ? 'no' : 'a'} directory`);
      return undefined;
    }
    if (isDirectory) return '';
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FILE_BYTES_MAX), 0, FILE_BYTES_MAX, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it failed';
    warnings.push(`${where}: ${path} cannot be read from here (${code})`);
    return undefined;
  }
}

async function attempt(where: string, work: () => Promise<unknown>): Promise<string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    if (!isEtcdOpsError(error)) throw error;
    return [`${where}: ${error.message}`];
  }
}
