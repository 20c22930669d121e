import { callApi, connectBus, statusAnswerSchema, type StandingFailure, type StatusAnswer } from '@etcd-ops/bus';
import { ERROR_CODES, EtcdOpsError, type ErrorCode } from '@etcd-ops/core';
import { localDaemon } from '../daemon/local-daemon.ts';
import { natsAccess, type NatsOptions } from '../daemon/nats-access.ts';
import type { NatsAccess } from '../daemon/start-daemon.ts';
import { stateDirectory } from '../daemon/state-directory.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { nextTicks, type NextTicks } from './next-ticks.ts';
import { renderStatus } from './render-status.ts';
import { readRepositoryStatus, type RepositoryAnswer } from './repository-status.ts';

export interface StatusOptions extends RepositoryOptions, NatsOptions {
  stateDir?: string;
  output: 'table' | 'json';
}

type Told = StatusAnswer['clusters'][number];

/** One cluster, as the daemon and the repository tell it together. */
export type ClusterStatus = Omit<Told, 'failures'> & {
  /** Revisions and seconds between etcd's newest revision and the captured one. */
  lag?: { revisions: number; seconds: number };
  /** Messages in NATS that are not in the repository yet. */
  backlog?: { messages: number };
  next?: NextTicks;
  failures: (StandingFailure & { remedy: string })[];
} & RepositoryAnswer;

export interface Status {
  daemon: { running: boolean; stateDir?: string };
  clusters: ClusterStatus[];
}

/**
 * Asks the daemon of a state directory, or the fleet of a NATS, and reads the repository beside it. Without a daemon, what the repository
 * alone tells is printed before the failure is.
 * @throws EtcdOpsError BUS_UNREACHABLE when no daemon runs there, or does not answer.
 */
export async function runStatus(options: StatusOptions): Promise<void> {
  const { clusterName } = options;
  const stateDir = options.stateDir ?? stateDirectory(options);
  const nats = await natsAccess(options);
  const [asked, repository] = await Promise.all([ask(nats, stateDir), readRepositoryStatus(options)]);
  const nowMs = Date.now();
  const told = 'answer' in asked ? asked.answer.clusters : [];
  const clusters = told.map((one) => describe(one, nowMs, one.cluster === clusterName ? repository : {}));
  // A daemon of other clusters has nothing to do with the name that is the default; a repository of that name is worth a word.
  const isStored = (repository.repository?.fulls ?? 0) > 0;
  if (!('answer' in asked) || (isStored && !knows(told, clusterName))) {
    clusters.push({ cluster: clusterName, last: {}, failures: [], ...repository });
  }
  const status: Status = {
    daemon: { running: 'answer' in asked, ...(nats === undefined ? { stateDir } : {}) },
    clusters,
  };
  if (options.output === 'json') emitJson(status);
  else emitText(renderStatus(status, nowMs));
  if ('failure' in asked) throw asked.failure;
}

function knows(clusters: readonly Told[], name: string): boolean {
  return clusters.some(({ cluster }) => cluster === name);
}

async function ask(
  nats: NatsAccess | undefined,
  stateDir: string,
): Promise<{ answer: StatusAnswer } | { failure: EtcdOpsError }> {
  try {
    const connection = nats ?? (await localDaemon(stateDir));
    const bus = await connectBus({ ...connection, name: 'etcd-ops status' });
    try {
      return { answer: await callApi(bus, 'status', {}, { answer: statusAnswerSchema }) };
    } finally {
      await bus.close();
    }
  } catch (error) {
    if (error instanceof EtcdOpsError) return { failure: error };
    throw error;
  }
}

function describe(told: Told, nowMs: number, repository: RepositoryAnswer): ClusterStatus {
  const { owner, schedules, failures = [], events, position } = told;
  const { revision, headRevision, lagMs } = owner?.capture ?? {};
  const lag =
    revision === undefined || headRevision === undefined
      ? undefined
      : { revisions: Math.max(0, headRevision - revision), seconds: Math.round((lagMs ?? 0) / 100) / 10 };
  return {
    ...told,
    ...(lag === undefined ? {} : { lag }),
    ...(events === undefined
      ? {}
      : { backlog: { messages: Math.max(0, events.lastSequence - (position?.sequence ?? 0)) } }),
    ...(schedules === undefined ? {} : { next: nextTicks(schedules, nowMs) }),
    failures: failures.map((failure) => ({ ...failure, remedy: failure.remedy ?? remedyOf(failure.code) })),
    ...repository,
  };
}

function remedyOf(code: string): string {
  return Object.hasOwn(ERROR_CODES, code)
    ? ERROR_CODES[code as ErrorCode].remedy
    : 'The log of the daemon has the details.';
}
