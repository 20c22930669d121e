import { lastDone, lastDoneKey, type ClusterSpec } from '@etcd-ops/bus';
import { describeError, isEtcdOpsError } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { requestFull } from './full-request.ts';
import type { CaptureVoice } from './metrics.ts';

export interface AuthFollowerOptions {
  spec: ClusterSpec;
  context: ServiceContext;
  voice: CaptureVoice;
  settings: { authPollMs: number; fullRequestDelayMs: number };
  signal: AbortSignal;
}

export interface AuthState {
  /** Of the living cluster; undefined where nobody says (etcd 3.4). */
  current: number | undefined;
  /** In the file of the newest full; undefined when there is none, or it does not say. */
  recorded: number | undefined;
  /** For which a full was asked here already. */
  askedFor: number | undefined;
}

/** Users, roles and passwords are in no delta: when they change, a full is wanted, once for each change that is noticed. */
export function authFullIsDue({ current, recorded, askedFor }: AuthState): boolean {
  return current !== undefined && recorded !== undefined && current !== recorded && current !== askedFor;
}

/**
 * Asks for a full snapshot when the auth revision is another than that of the newest full. Beside the capture and never in its way;
 * without the role `root` it says so once, and then only the schedule brings changes of users into the backup.
 */
export async function followAuth({ spec, context, voice, settings, signal }: AuthFollowerOptions): Promise<void> {
  const { clock, bus, etcd } = context;
  const done = lastDone(bus);
  let askedFor: number | undefined;
  let said = false;
  while (!signal.aborted) {
    await clock.sleep(settings.authPollMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await using loan = await etcd.borrow(spec, { signal });
      const current = await loan.cluster.authRevision({ signal });
      const last = (await done.get(lastDoneKey('full', spec.name)))?.value.summary['authRevision'];
      const recorded = typeof last === 'number' ? last : undefined;
      if (!authFullIsDue({ current, recorded, askedFor })) continue;
      voice.logger.info({ authRevision: current, recorded }, 'Users or roles changed: a full snapshot is wanted');
      await requestFull({ bus, cause: 'auth-change', voice, clock, delayMs: settings.fullRequestDelayMs, signal });
      askedFor = current;
    } catch (error) {
      if (signal.aborted) return;
      // Outages are the capture's to tell. The right does not come by itself, but an operator may grant it.
      const missesRight = isEtcdOpsError(error, 'ETCD_AUTH');
      const level = missesRight && !said ? 'warn' : 'debug';
      said ||= missesRight;
      voice.logger[level]({ reason: describeError(error) }, 'Changes of users and roles cannot be followed');
    }
  }
}
