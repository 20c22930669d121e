import {
  clusterOfTask,
  deadLetterSchema,
  taskResultSchema,
  taskSchema,
  type Happening,
  type TaskResult,
} from '@etcd-ops/bus';
import { chainProofs, edgeVerdict, startsOf, type StartFact } from '../result-facts.ts';

/** What a line of the history gives reason to tell. Its ids follow from the line alone, so a line that comes twice tells the same. */
export function happeningsOfResult(text: string): Happening[] {
  const parsed = taskResultSchema.safeParse(parse(text));
  if (!parsed.success) return [];
  const result = parsed.data;
  const { taskId, kind: taskKind, cluster, finishedAt: at, failure } = result;
  const base = { at, cluster, taskId, taskKind };
  if (!result.ok) {
    const why = failure === undefined ? '' : `: ${failure.message}`;
    const said = `The task ${taskKind} of ${cluster} was given up after ${result.attempt} attempts${why}`;
    const told = { ...base, id: `failure/${cluster}/${taskId}`, what: 'failure' as const, text: cut(said) };
    return [failure === undefined ? told : { ...told, failure }];
  }
  return [
    ...startsOf(result).flatMap((start) => happeningOfStart(start, base)),
    ...proofsThatFailed(result).map((said, index) => ({
      ...base,
      id: `proof/${cluster}/${taskId}/${index}`,
      what: 'proof' as const,
      text: cut(said),
    })),
  ];
}

/** A task that was read and given up is told by the history; here only what nobody could read. */
export function happeningsOfDead(
  text: string,
  { subject, sequence }: { subject: string; sequence: number },
): Happening[] {
  const letter = deadLetterSchema.safeParse(parse(text)).data;
  if (letter === undefined || taskSchema.safeParse(letter.task).success) return [];
  const cluster = clusterOfTask(subject);
  return [
    {
      id: `dead-letter/${sequence}/${letter.deadAt}`,
      what: 'dead-letter',
      at: letter.deadAt,
      ...(cluster === undefined ? {} : { cluster }),
      text: cut(`A task on ${letter.subject} could not be read and was put aside: ${letter.cause.message}`),
      failure: letter.cause,
    },
  ];
}

type Base = Pick<Happening, 'at' | 'taskId' | 'taskKind'> & { cluster: string };

function happeningOfStart({ cause, timeline, revision, after, compacted }: StartFact, base: Base): Happening[] {
  const id = `${cause}/${base.cluster}/${timeline}/${revision}`;
  if (cause === 'gap') {
    const until = compacted === undefined ? '' : `; etcd had compacted up to revision ${compacted}`;
    const text = `Revisions of ${base.cluster} are lost between ${after} and ${revision}${until}`;
    return [{ ...base, id, what: 'gap', text }];
  }
  if (cause !== 'fork') return [];
  const text = `The cluster ${base.cluster} does not go on with what was captured up to revision ${after}: it was restored or replaced, and timeline ${timeline} begins at revision ${revision}`;
  return [{ ...base, id, what: 'fork', text }];
}

function proofsThatFailed(result: TaskResult): string[] {
  const { cluster, summary } = result;
  if (edgeVerdict(result) === 'failed') {
    return [`A full of ${cluster} is not what the deltas before it make of the full before it`];
  }
  if (result.kind !== 'verify') return [];
  const chains = chainProofs(result)
    .filter(({ verdict }) => verdict === 'failed')
    .map(({ to }) => `A chain of ${cluster} up to revision ${to} is not what the cluster said that it held`);
  if (chains.length > 0) return chains;
  const { verdict } = summary;
  if (verdict !== 'failed' && verdict !== 'damaged') return [];
  return [`Verification of the backups of ${cluster} ended with: ${verdict}`];
}

function cut(text: string): string {
  return text.slice(0, 4_096);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
