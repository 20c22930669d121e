import { connectStream, isReached, type LastEvent } from '@etcd-ops/bus';
import { pointOfEvent, readDurablePoint, readRepositoryPoint } from './captured-points.ts';
import { findResumePoint, type CapturedPoint, type RepositoryPoint, type ResumePoint } from './resume-point.ts';
import type { SessionTools } from './session-tools.ts';

/** Where capture goes on, and what it was found by. */
export interface CaptureEnd {
  /** undefined: nothing that counts was ever captured. */
  resume: ResumePoint | undefined;
  /** What the uploader recorded. */
  state: CapturedPoint | undefined;
  repository: RepositoryPoint | undefined;
}

/** The uploader stores and trims while one looks. */
const LOOKS_MAX = 5;

/**
 * L: where the stream ends, if readers come there from what is durable; else how far they come. What lies behind a hole of the stream
 * never counts, so it is captured again, as long as etcd has it.
 */
export async function whereCaptureEnds(
  last: LastEvent | undefined,
  tools: Pick<SessionTools, 'context' | 'spec' | 'voice' | 'memory' | 'writer' | 'signal'>,
): Promise<CaptureEnd> {
  const { context, spec, voice, memory, writer, signal } = tools;
  const { cluster, logger } = voice;
  for (let look = 1; ; look++) {
    const state = await readDurablePoint(context.bus, cluster);
    const repository = await readRepositoryPoint(context, spec);
    const durable = findResumePoint({ stream: undefined, state, repository });
    if (last === undefined) return { resume: durable, state, repository };
    const stream = pointOfEvent(last);
    const connection = await connectStream(context.bus, cluster, durable, { signal, earlier: memory.stream });
    memory.stream = connection;
    if (isReached(connection, stream)) {
      return { resume: findResumePoint({ stream, state, repository }), state, repository };
    }
    // What was trimmed meanwhile is no hole.
    const after = await readDurablePoint(context.bus, cluster);
    if (after?.revision !== state?.revision && look < LOOKS_MAX) continue;
    const reached = connection.last === undefined ? state : pointOfEvent(connection.last);
    logger.error(
      { captured: stream.revision, durable: durable?.revision, reached: reached?.revision },
      'Messages of the event stream were lost, and what follows them never counts: capture goes on before them',
    );
    writer.writeFor(connection.expected);
    return { resume: findResumePoint({ stream: undefined, state: reached, repository }), state, repository };
  }
}
