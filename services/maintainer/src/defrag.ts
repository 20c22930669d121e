import { describeError, EtcdOpsError } from '@etcd-ops/core';
import type { EtcdCluster, EtcdMember } from '@etcd-ops/etcd-client';
import { isRetriable, type Clock, type Logger } from '@etcd-ops/service-kit';
import { readClusterView, type ClusterView, type MemberView } from './cluster-view.ts';
import { hasNoSpace, healthProblems, nextDefragStep, shown, type DefragLimits } from './defrag-plan.ts';

export interface DefragOptions {
  limits: DefragLimits;
  /** Of one Defragment call. etcd goes on with it even if nobody waits any more. */
  defragTimeoutMs: number;
  /** How long the whole cluster may take to be well again after a member came back or the leader changed. */
  recoveryTimeoutMs: number;
  requestTimeoutMs: number;
  clock: Clock;
  logger: Logger;
  /** Heeded between members: a member that is being defragmented is always waited for. */
  signal: AbortSignal;
  onProgress?: (phase: string) => void;
}

export interface MemberResult {
  name: string;
  /** Lower-case hex. */
  memberId: string;
  endpoint: string;
  outcome: 'defragmented' | 'left-alone';
  reason?: string;
  bytesBefore: number;
  bytesAfter: number;
  durationMs: number;
}

export interface DefragReport {
  members: MemberResult[];
  leaderMoves: { from: string; to: string }[];
  reclaimedBytes: number;
  /** The alarm stays until somebody disarms it: that is a decision, not care. */
  noSpaceAlarmStays: boolean;
}

const POLL_MS = 250;

/**
 * Defragments what is worth it, one member at a time, and stops at the first sign that the cluster is not well.
 * @throws EtcdOpsError DEFRAG_REFUSED before or between members, naming what was done so far; ETCD_* of the call that failed; CANCELLED.
 */
export async function defragCluster(cluster: EtcdCluster, options: DefragOptions): Promise<DefragReport> {
  const run = new DefragRun(cluster, options);
  return run.toEnd();
}

class DefragRun {
  readonly #cluster: EtcdCluster;
  readonly #options: DefragOptions;
  readonly #done = new Set<bigint>();
  readonly #results: MemberResult[] = [];
  readonly #leaderMoves: { from: string; to: string }[] = [];

  constructor(cluster: EtcdCluster, options: DefragOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  async toEnd(): Promise<DefragReport> {
    for (;;) {
      if (this.#options.signal.aborted) {
        throw new EtcdOpsError('CANCELLED', { message: `Defragmentation was cancelled; ${this.#soFar()}` });
      }
      const { view, problems } = await this.#judge(this.#options.limits.lagEntriesMax);
      if (view === undefined) throw this.#refused(problems);
      const step = nextDefragStep(view, this.#done, this.#options.limits);
      switch (step.kind) {
        case 'refuse':
          throw this.#refused(step.reasons);
        case 'finished':
          for (const { member, reason } of step.left) this.#results.push(leftAlone(member, reason));
          return this.#report(view);
        case 'move-leader':
          await this.#moveLeader(step.from, step.to);
          break;
        case 'defragment':
          await this.#defragment(step.member);
          break;
      }
    }
  }

  async #defragment(member: MemberView): Promise<void> {
    const { clock, logger, onProgress, defragTimeoutMs } = this.#options;
    onProgress?.(`defragmenting ${shown(member)}`);
    const startedMs = clock.now();
    // Without the signal: abandoning the call would not stop etcd, and we must know when it is over.
    await this.#clientOf(member).defragment({ timeoutMs: defragTimeoutMs });
    const durationMs = clock.now() - startedMs;
    this.#done.add(member.id);
    const view = await this.#untilWell(`after defragmenting ${shown(member)}`, () => true);
    const bytesAfter = view.members.find(({ id }) => id === member.id)?.status?.dbBytes ?? 0;
    const result: MemberResult = {
      ...identity(member),
      outcome: 'defragmented',
      bytesBefore: member.status?.dbBytes ?? 0,
      bytesAfter,
      durationMs,
    };
    this.#results.push(result);
    logger.info({ ...result }, 'Member defragmented');
  }

  async #moveLeader(from: MemberView, to: MemberView): Promise<void> {
    // Each leader is moved away from at most once; if it comes back, something else is wrong with this cluster.
    if (this.#leaderMoves.some((move) => move.from === shown(from))) {
      throw this.#refused([`the leadership came back to ${shown(from)}`]);
    }
    this.#options.onProgress?.(`moving the leadership from ${shown(from)} to ${shown(to)}`);
    await this.#clientOf(from).moveLeader(to.id, {
      timeoutMs: this.#options.requestTimeoutMs,
      signal: this.#options.signal,
    });
    this.#leaderMoves.push({ from: shown(from), to: shown(to) });
    await this.#untilWell('after the leadership was moved', (view) =>
      view.members.some(({ id, status }) => status?.isLeader === true && id !== from.id),
    );
    this.#options.logger.info({ from: shown(from), to: shown(to) }, 'Leadership moved');
  }

  /** The gate behind each step: nothing else is touched before every member is well. */
  async #untilWell(when: string, holds: (view: ClusterView) => boolean): Promise<ClusterView> {
    const { clock, recoveryTimeoutMs, limits, signal } = this.#options;
    const deadlineMs = clock.now() + recoveryTimeoutMs;
    for (;;) {
      const { view, problems } = await this.#judge(limits.lagEntriesMax);
      if (view !== undefined && problems.length === 0 && holds(view)) return view;
      if (clock.now() >= deadlineMs) {
        const shownProblems = problems.length === 0 ? ['the leadership did not move'] : problems;
        throw this.#refused([`not well within ${recoveryTimeoutMs} ms ${when}`, ...shownProblems]);
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  /** A cluster that cannot even be asked is not well; a moment later it may be. */
  async #judge(lagEntriesMax: number): Promise<{ view?: ClusterView; problems: string[] }> {
    try {
      const view = await this.#view();
      return { view, problems: healthProblems(view, lagEntriesMax) };
    } catch (error) {
      if (!isRetriable(error)) throw error;
      return { problems: [describeError(error)] };
    }
  }

  #view(): Promise<ClusterView> {
    return readClusterView(this.#cluster, { timeoutMs: this.#options.requestTimeoutMs, signal: this.#options.signal });
  }

  #clientOf(member: MemberView): EtcdMember {
    const client = this.#cluster.members().find(({ endpoint }) => endpoint === member.endpoint);
    if (client === undefined) throw new Error(`No client for ${shown(member)}`);
    return client;
  }

  #report(view: ClusterView): DefragReport {
    return {
      members: this.#results,
      leaderMoves: this.#leaderMoves,
      reclaimedBytes: this.#results.reduce(
        (sum, { bytesBefore, bytesAfter }) => sum + Math.max(0, bytesBefore - bytesAfter),
        0,
      ),
      noSpaceAlarmStays: hasNoSpace(view),
    };
  }

  #refused(reasons: string[]): EtcdOpsError {
    return new EtcdOpsError('DEFRAG_REFUSED', {
      message: `No member may be defragmented now: ${reasons.join('; ')}; ${this.#soFar()}`,
    });
  }

  #soFar(): string {
    const names = this.#results.map(({ name }) => name);
    return names.length === 0 ? 'nothing was defragmented' : `done so far: ${names.join(', ')}`;
  }
}

function identity(member: MemberView): Pick<MemberResult, 'name' | 'memberId' | 'endpoint'> {
  return { name: member.name, memberId: member.id.toString(16), endpoint: member.endpoint ?? '' };
}

function leftAlone(member: MemberView, reason: string): MemberResult {
  const bytes = member.status?.dbBytes ?? 0;
  return { ...identity(member), outcome: 'left-alone', reason, bytesBefore: bytes, bytesAfter: bytes, durationMs: 0 };
}
