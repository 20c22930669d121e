import { connectStream, isReached, type Beginning, type LastEvent, type StreamHeaders } from '@etcd-ops/bus';
import { readRepositoryNames } from '@etcd-ops/core';
import { meanRevisionBytes, pointOfEvent, readDurablePoint, readRepositoryPoint } from './captured-points.ts';
import {
  findResumePoint,
  isNewer,
  type CapturedPoint,
  type RepositoryPoint,
  type ResumePoint,
} from './resume-point.ts';
import type { SessionTools } from './session-tools.ts';

/** The stream as the writer found it. */
export interface StreamTail {
  last?: LastEvent;
  beginning?: Beginning;
  all?: StreamHeaders;
}

/** Where capture goes on, and what it was found by. */
export interface CaptureEnd {
  /** undefined: nothing that counts was ever captured. */
  resume: ResumePoint | undefined;
  /** What the uploader recorded. */
  state: CapturedPoint | undefined;
  /** `as-named`: by the names of its objects, none of which was read, it has a base and is not ahead of the stream. */
  repository: RepositoryPoint | 'as-named' | undefined;
  /** Mean stored bytes of a revision; undefined when nobody knows. */
  revisionBytes: number | undefined;
}

type Tools = Pick<SessionTools, 'context' | 'spec' | 'voice' | 'memory' | 'writer' | 'signal'>;

/** The uploader stores and trims while one looks. */
const LOOKS_MAX = 5;

/**
 * L: where the stream ends, if readers come there from what is durable; else how far they come. What lies behind a hole of the stream
 * never counts, so it is captured again, as long as etcd has it.
 */
export async function whereCaptureEnds(tail: StreamTail, tools: Tools): Promise<CaptureEnd> {
  return (await lookByNames(tail, tools)) ?? (await lookClosely(tail.last, tools));
}

/**
 * The common case, by few questions: the stream holds what follows the recorded position, and the repository's names tell of nothing
 * beyond its end. undefined where anything is otherwise.
 */
async function lookByNames({ last, beginning, all }: StreamTail, tools: Tools): Promise<CaptureEnd | undefined> {
  const { context, spec, voice, memory, signal } = tools;
  if (last === undefined) return undefined;
  const [state, names] = await Promise.all([
    readDurablePoint(context.bus, voice.cluster),
    context.openStore(spec.store).then((store) => readRepositoryNames(store, spec.name, { signal })),
  ]);
  const stream = pointOfEvent(last);
  const { newestTimeline, fullsTo, deltasTo, deltas } = names;
  const isAhead = newestTimeline !== stream.timeline || deltasTo > stream.revision;
  const hasBase = fullsTo > 0 && fullsTo >= (beginning?.last ?? 0);
  if (isAhead || !hasBase || (state !== undefined && isNewer(state, stream))) return undefined;
  const connection = await connectStream(context.bus, voice.cluster, state, { signal, all, earlier: memory.stream });
  if (!isReached(connection, stream)) return undefined;
  memory.stream = connection;
  const resume = findResumePoint({ stream, state, repository: undefined });
  return { resume, state, repository: 'as-named', revisionBytes: meanRevisionBytes(deltas) };
}

async function lookClosely(last: LastEvent | undefined, tools: Tools): Promise<CaptureEnd> {
  const { context, spec, voice, memory, writer, signal } = tools;
  const { cluster, logger } = voice;
  for (let look = 1; ; look++) {
    const state = await readDurablePoint(context.bus, cluster);
    const repository = await readRepositoryPoint(context, spec);
    const found = { state, repository, revisionBytes: repository?.revisionBytes };
    const durable = findResumePoint({ stream: undefined, state, repository });
    if (last === undefined) return { ...found, resume: durable };
    const stream = pointOfEvent(last);
    const connection = await connectStream(context.bus, cluster, durable, { signal, earlier: memory.stream });
    memory.stream = connection;
    if (isReached(connection, stream)) return { ...found, resume: findResumePoint({ stream, state, repository }) };
    // What was trimmed meanwhile is no hole.
    const after = await readDurablePoint(context.bus, cluster);
    if (after?.revision !== state?.revision && look < LOOKS_MAX) continue;
    const reached = connection.last === undefined ? state : pointOfEvent(connection.last);
    logger.error(
      { captured: stream.revision, durable: durable?.revision, reached: reached?.revision },
      'Messages of the event stream were lost, and what follows them never counts: capture goes on before them',
    );
    writer.writeFor(connection.expected);
    return { ...found, resume: findResumePoint({ stream: undefined, state: reached, repository }) };
  }
}
