import { readFile } from 'node:fs/promises';
import { connectBus, inboxPrefix, type Bus, type BusOptions } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { BaseSettings } from './config/base-settings.ts';
import type { Logger } from './logger.ts';
import { orCancelled } from './or-cancelled.ts';
import type { Redaction } from './redaction.ts';
import { retry } from './retry.ts';

/** Named after the service; a second connection of it, to the account of people's requests, ends in this. */
const OPS_SUFFIX = '-ops';

export interface Buses extends AsyncDisposable {
  bus: Bus;
  /** The same as `bus` where no account of its own is configured. */
  ops: Bus;
}

export interface ConnectBusesOptions {
  name: string;
  logger: Logger;
  redaction: Redaction;
  signal: AbortSignal;
}

/** Connects as the settings say, and waits for a NATS that is away. @throws EtcdOpsError CONFIG_INVALID, CANCELLED. */
export async function connectBuses(settings: BaseSettings, options: ConnectBusesOptions): Promise<Buses> {
  await using opened = new AsyncDisposableStack();
  const open = async (who: Who): Promise<Bus> => {
    const bus = await connect(who, settings, options);
    opened.defer(() => bus.close());
    return bus;
  };
  const { natsUrl, natsTokenFile, natsUser, natsPasswordFile, natsCredsFile, natsNkeyFile } = settings;
  const core = {
    url: natsUrl,
    tokenFile: natsTokenFile,
    user: natsUser,
    passwordFile: natsPasswordFile,
    credsFile: natsCredsFile,
    nkeyFile: natsNkeyFile,
  };
  const bus = await open({ ...core, name: options.name });
  const ops = opsOf(settings);
  const buses = { bus, ops: ops === undefined ? bus : await open({ ...ops, name: `${options.name}${OPS_SUFFIX}` }) };
  const kept = opened.move();
  return { ...buses, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

interface Who {
  name: string;
  url: string;
  tokenFile: string | undefined;
  user: string | undefined;
  passwordFile: string | undefined;
  credsFile: string | undefined;
  nkeyFile: string | undefined;
}

function opsOf(settings: BaseSettings): Omit<Who, 'name'> | undefined {
  const { natsOpsUrl, natsOpsTokenFile, natsOpsUser, natsOpsPasswordFile, natsOpsCredsFile, natsOpsNkeyFile } =
    settings;
  const own = [natsOpsUrl, natsOpsTokenFile, natsOpsUser, natsOpsPasswordFile, natsOpsCredsFile, natsOpsNkeyFile];
  if (own.every((value) => value === undefined)) return undefined;
  return {
    url: natsOpsUrl ?? settings.natsUrl,
    tokenFile: natsOpsTokenFile,
    user: natsOpsUser,
    passwordFile: natsOpsPasswordFile,
    credsFile: natsOpsCredsFile,
    nkeyFile: natsOpsNkeyFile,
  };
}

async function connect(who: Who, settings: BaseSettings, options: ConnectBusesOptions): Promise<Bus> {
  const { name, url, user, credsFile, nkeyFile } = who;
  const token = await readSecret(who.tokenFile, options.redaction);
  const pass = await readSecret(who.passwordFile, options.redaction);
  const access: BusOptions = {
    url: url.split(',').map((one) => one.trim()),
    name,
    inboxPrefix: inboxPrefix(name),
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(credsFile === undefined ? {} : { credsFile }),
    ...(nkeyFile === undefined ? {} : { nkeyFile }),
    ...tlsOf(settings),
  };
  const connecting = retry(() => connectBus(access), {
    signal: options.signal,
    onRetry: ({ error, delayMs }) => options.logger.warn({ error, delayMs, user: name }, 'Waiting for NATS'),
  });
  return await orCancelled(connecting, options.signal);
}

function tlsOf({ natsCaFile, natsCertFile, natsKeyFile }: BaseSettings): Pick<BusOptions, 'tls'> {
  const tls = {
    ...(natsCaFile === undefined ? {} : { caFile: natsCaFile }),
    ...(natsCertFile === undefined ? {} : { certFile: natsCertFile }),
    ...(natsKeyFile === undefined ? {} : { keyFile: natsKeyFile }),
  };
  return Object.keys(tls).length === 0 ? {} : { tls };
}

async function readSecret(path: string | undefined, redaction: Redaction): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const secret = (await readFile(path, 'utf8')).trim();
    redaction.add(secret);
    return secret;
  } catch (cause) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: `Cannot read the secret file ${path}`, cause });
  }
}
