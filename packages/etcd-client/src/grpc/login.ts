import { readFile } from 'node:fs/promises';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdAuth } from '../access.ts';

/** One user's login at one member. A token is shared by all calls; its owner says when etcd no longer takes it. */
export class Login {
  readonly auth: EtcdAuth;
  readonly #authenticate: (auth: EtcdAuth) => Promise<string | undefined>;
  #pending: Promise<string | undefined> | undefined;
  #token: string | undefined;
  #settled = false;

  /** `authenticate` answers undefined when etcd's auth is off. */
  constructor(auth: EtcdAuth, authenticate: (auth: EtcdAuth) => Promise<string | undefined>) {
    this.auth = auth;
    this.#authenticate = authenticate;
  }

  /** Shared by all calls that wait for it, so no single caller's signal ends it. A failed login is tried again by the next call. */
  token(): Promise<string | undefined> {
    if (this.#pending !== undefined) return this.#pending;
    this.#settled = false;
    const pending = this.#authenticate(this.auth);
    this.#pending = pending;
    pending.then(
      (token) => {
        if (this.#pending !== pending) return;
        this.#token = token;
        this.#settled = true;
      },
      () => {
        if (this.#pending === pending) this.#pending = undefined;
      },
    );
    return pending;
  }

  /** etcd refused this token. One that was fetched meanwhile is kept: calls fail one after another, but the login is one. */
  forget(token: string | undefined): void {
    if (this.#settled && this.#token === token) this.#pending = undefined;
  }

  drop(): void {
    if (this.#settled) this.#pending = undefined;
  }
}

/** @throws EtcdOpsError CONFIG_INVALID when neither a password nor its file is given, ETCD_AUTH when the file cannot be read. */
export async function readPassword(auth: EtcdAuth): Promise<string> {
  if (auth.password !== undefined) return auth.password;
  if (auth.passwordFile === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The etcd user ${auth.username} has neither password nor password file`,
    });
  }
  try {
    return (await readFile(auth.passwordFile, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw new EtcdOpsError('ETCD_AUTH', {
      message: `The password file ${auth.passwordFile} of the etcd user ${auth.username} cannot be read`,
      remedy: 'Check the path and its rights.',
      cause: error,
    });
  }
}

/** The password is not on this host: another credential may be, unlike when etcd refuses a user. */
export function isPasswordMissing(error: unknown): boolean {
  return isEtcdOpsError(error, 'ETCD_AUTH') && error.cause instanceof Error && 'syscall' in error.cause;
}
