import { Channel } from '@grpc/grpc-js';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdAddress, EtcdTlsAccess } from '../access.ts';
import { channelCredentials, channelOptions } from './channel-options.ts';
import type { TlsFiles, TlsMaterial } from './tls-files.ts';
import { probeTls } from './tls-probe.ts';
import { isTlsText, tlsFailure } from './tls-sentences.ts';

/** New files that the server does not take are tried again so often: it may be next to be changed. */
const RETRY_PERIOD_MS = 5_000;
/** A failed handshake is looked into at most so often. */
const DIAGNOSIS_PERIOD_MS = 2_000;

export interface SecureChannelOptions {
  address: EtcdAddress;
  tls: EtcdTlsAccess | undefined;
  /** Undefined for an endpoint without TLS. */
  files: TlsFiles | undefined;
  onWarning: (error: EtcdOpsError) => void;
}

/**
 * The gRPC channel to one member. When the TLS files change, new ones are tried beside it; only if the server takes them do new calls
 * go over a new channel. Calls that are open end on the old one.
 */
export class SecureChannel implements Disposable {
  readonly #options: SecureChannelOptions;
  #channel: Channel;
  #material: TlsMaterial | undefined;
  #trying = false;
  #nextTryMs = 0;
  /** Fingerprints of new files that were tried without success, and that were complained of. */
  #tried = '';
  #told = '';
  #diagnosedMs = -Infinity;
  #diagnosis: Promise<EtcdOpsError | undefined> | undefined;
  #closed = false;

  constructor(options: SecureChannelOptions) {
    this.#options = options;
    this.#material = options.files?.newest;
    this.#channel = this.#open(this.#material);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#channel.close();
  }

  /** For the next call. */
  get channel(): Channel {
    this.#follow();
    return this.#channel;
  }

  /** For the next connection beside the channel. */
  get material(): TlsMaterial | undefined {
    this.#follow();
    return this.#material;
  }

  /** Why no connection can be made, if TLS is the reason: the library drops what the server says behind the handshake. */
  async diagnose(): Promise<EtcdOpsError | undefined> {
    if (performance.now() - this.#diagnosedMs > DIAGNOSIS_PERIOD_MS || this.#diagnosis === undefined) {
      this.#diagnosedMs = performance.now();
      this.#diagnosis = this.#probe();
    }
    return await this.#diagnosis;
  }

  async #probe(): Promise<EtcdOpsError | undefined> {
    const { address, tls } = this.#options;
    try {
      await probeTls(address, { material: this.#material, verify: address.secure && tls?.insecureSkipVerify !== true });
    } catch (error) {
      if (address.secure && /disconnected before secure TLS/.test(String(error))) return this.#handshakeCut(error);
      if (address.secure) return isTlsText(error) ? tlsFailure(address.endpoint, error, tls) : undefined;
      // Whoever wants a certificate of us speaks TLS.
      if (!/alert|certificate/i.test(String(error))) return undefined;
    }
    if (address.secure) return undefined;
    return new EtcdOpsError('ETCD_TLS', {
      message: `${address.endpoint}: the server speaks TLS on this port; use https:// and give its CA file`,
      facts: { endpoint: address.endpoint },
    });
  }

  #handshakeCut(cause: unknown): EtcdOpsError {
    return new EtcdOpsError('ETCD_UNREACHABLE', {
      message:
        `${this.#options.address.endpoint}: the server closed the connection at the beginning of the TLS handshake; ` +
        'it is stopping, or it does not speak TLS on this port (then use http://)',
      cause,
    });
  }

  #follow(): void {
    const { files, onWarning } = this.#options;
    if (files === undefined || this.#closed) return;
    const bad = files.look();
    if (bad !== undefined) onWarning(bad);
    const { newest } = files;
    if (newest.fingerprint === this.#material?.fingerprint || this.#trying) return;
    if (newest.fingerprint === this.#tried && performance.now() < this.#nextTryMs) return;
    this.#trying = true;
    void this.#tryMaterial(newest).finally(() => {
      this.#trying = false;
    });
  }

  async #tryMaterial(material: TlsMaterial): Promise<void> {
    const { address, tls, onWarning } = this.#options;
    this.#nextTryMs = performance.now() + RETRY_PERIOD_MS;
    this.#tried = material.fingerprint;
    try {
      await probeTls(address, { material, verify: tls?.insecureSkipVerify !== true });
    } catch (error) {
      // A server that is away refuses nothing.
      if (isTlsText(error) && this.#told !== material.fingerprint) {
        this.#told = material.fingerprint;
        const { message } = tlsFailure(address.endpoint, error, tls);
        onWarning(
          new EtcdOpsError('ETCD_TLS', { message: `The new TLS files are not used: ${message}`, cause: error }),
        );
      }
      return;
    }
    if (this.#closed) return;
    const old = this.#channel;
    this.#material = material;
    this.#channel = this.#open(material);
    old.close();
  }

  #open(material: TlsMaterial | undefined): Channel {
    const { address, tls } = this.#options;
    return new Channel(address.target, channelCredentials(address, tls, material), channelOptions());
  }
}
