import { clusterSpecSchema, type ClusterSpec } from '@etcd-ops/bus';
import { parse } from 'yaml';
import { UsageError, type UsageProblem } from '../options/usage-error.ts';
import { resolveSpec } from '../up/fleet-file.ts';
import { readSpecOrFaults } from './spec-faults.ts';

export interface SpecEdit {
  /** `snapshots.schedule=0 * * * *`; the value is YAML where that is no text. */
  set: readonly string[];
  unset: readonly string[];
}

/** Fields that say whose history is written; another name is another repository. */
const FIXED = ['version', 'name', 'managedBy'];

/**
 * The spec with other values; paths of files are meant from `directory`.
 * @throws UsageError with everything that is wrong, each with the path of its field.
 */
export function editSpec(spec: ClusterSpec, edit: SpecEdit, directory: string): ClusterSpec {
  const edited = structuredClone(spec) as Record<string, unknown>;
  const problems: UsageProblem[] = [];
  for (const [flag, written] of [
    ...edit.set.map((text) => ['--set', text] as const),
    ...edit.unset.map((text) => ['--unset', text] as const),
  ]) {
    const equals = flag === '--set' ? written.indexOf('=') : written.length;
    const path = written.slice(0, Math.max(0, equals)).split('.');
    const problem = pathProblem(path, equals);
    if (problem === undefined) assign(edited, path, flag === '--set' ? valueOf(written.slice(equals + 1)) : undefined);
    else problems.push({ message: `${flag} ${written}: ${problem.said}`, remedy: problem.remedy });
  }
  if (problems.length > 0) throw new UsageError(problems);
  return resolveSpec(checkSpec(edited), directory);
}

/** @throws UsageError with everything that is wrong, each with the path of its field. */
export function checkSpec(value: unknown): ClusterSpec {
  const read = readSpecOrFaults(clusterSpecSchema, value);
  if (read.spec !== undefined) return read.spec;
  throw new UsageError(
    [...read.issues, ...read.schedules].map((issue): UsageProblem => {
      const at = issue.path.map(String).join('.');
      return {
        message: `${at === '' ? 'the cluster' : at}: ${issue.message}`,
        remedy: 'Correct the value; `etcd-ops cluster show` prints all fields.',
      };
    }),
  );
}

function pathProblem(path: readonly string[], equals: number): { said: string; remedy: string } | undefined {
  if (equals < 1 || path.some((part) => part === '' || part === '__proto__' || part === 'constructor')) {
    return {
      said: 'this is no path=value',
      remedy: 'Write it as --set snapshots.schedule="0 * * * *", or --unset snapshots.schedule.',
    };
  }
  if (!FIXED.includes(path[0]!)) return undefined;
  return {
    said: `${path[0]!} cannot be changed`,
    remedy: 'Add a cluster of the other name, and remove this one; backups stay under their name.',
  };
}

/** A schedule such as `*` followed by blanks is no YAML; it is meant as it is written. */
function valueOf(written: string): unknown {
  try {
    return parse(written) as unknown;
  } catch {
    return written;
  }
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let inner = target;
  for (const part of path.slice(0, -1)) {
    const next = inner[part];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) {
      if (value === undefined) return;
      inner[part] = {};
    }
    inner = inner[part] as Record<string, unknown>;
  }
  const last = path.at(-1)!;
  if (value === undefined) delete inner[last];
  else inner[last] = value;
}
