import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { checkClusterSpec, clusterSpecFields, type ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, resolveStorePaths } from '@etcd-ops/core';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { readSpecOrFaults } from '../fleet/spec-faults.ts';
import { UsageError, type UsageProblem } from '../options/usage-error.ts';
import { fleetFileSchema, type FleetFile } from './fleet-schema.ts';
import { NoPlainValue, plainValue } from './plain-value.ts';
import { resolveSettings } from './resolve-settings.ts';

const SECOND_DOCUMENT = {
  said: 'a second document begins here, behind ---',
  remedy: 'Write all clusters below one `clusters:`, or a file for each document.',
};
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Who registered a cluster is no setting. */
const fileSpecSchema = clusterSpecFields.omit({ managedBy: true }).check(checkClusterSpec);

/**
 * What suits many clusters. The scheduler takes a full as soon as the deltas make a restore long, so a schedule need only bound the age of
 * the newest one; it spreads the fulls of a fleet over time.
 */
export const FLEET_DEFAULTS: Record<string, unknown> = { version: 1, snapshots: { schedule: '@daily' } };

export interface Fleet {
  settings: Omit<FleetFile, 'clusters' | 'defaults'>;
  clusters: ClusterSpec[];
}

type Path = readonly PropertyKey[];

/**
 * Reads the clusters of a YAML file. Paths in it are meant from where the file lies.
 * @throws UsageError naming everything that is wrong, each with its line and what to do; EtcdOpsError CONFIG_INVALID when it cannot be read.
 */
export async function readFleetFile(path: string): Promise<Fleet> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The file ${path} cannot be read`,
      remedy: 'Name the file of the clusters with --config.',
      cause: error,
    });
  }
  return parseFleet(text, { name: basename(path), directory: dirname(resolve(path)) });
}

/** As readFleetFile, over a text. */
export function parseFleet(text: string, place: Place): Fleet {
  return readerOf(text, place).read();
}

/** The clusters of a text that is one cluster, or a whole file of them. @throws UsageError as readFleetFile. */
export function parseClusters(text: string, place: Place): ClusterSpec[] {
  return readerOf(text, place).readClusters();
}

interface Place {
  /** For messages. */
  name: string;
  /** What relative paths are meant from. */
  directory: string;
}

function readerOf(text: string, place: Place): FleetReader {
  if (text.length > FILE_BYTES_MAX) {
    throw wrongFile(place.name, [{ line: 1, said: 'the file is too large', remedy: 'Split it.' }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw wrongFile(
      place.name,
      document.errors.map((error) => {
        const { line } = lines.linePos(error.pos[0]);
        if (error.code === 'MULTIPLE_DOCS') return { line, ...SECOND_DOCUMENT };
        const said = error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
        return { line, said, remedy: 'Correct the YAML there.' };
      }),
    );
  }
  return new FleetReader(document, lines, place);
}

interface FleetProblem {
  line: number;
  said: string;
  remedy: string;
}

/** From top to bottom, as they are going to be corrected. */
function wrongFile(name: string, problems: readonly FleetProblem[]): UsageError {
  return new UsageError(
    problems
      .toSorted((left, right) => left.line - right.line)
      .map(({ line, said, remedy }): UsageProblem => {
        return { message: { en: `${name}, line ${line}: ${said}`, zh: `${name} 第 ${line} 行：${said}` }, remedy };
      }),
  );
}

class FleetReader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #place: Place;
  readonly #problems: FleetProblem[] = [];

  constructor(document: Document.Parsed, lines: LineCounter, place: Place) {
    this.#document = document;
    this.#lines = lines;
    this.#place = place;
  }

  read(): Fleet {
    const value = this.#plain() ?? {};
    const parsed = fleetFileSchema.safeParse(value);
    if (!parsed.success) {
      this.#addIssues(parsed.error.issues, []);
      throw wrongFile(this.#place.name, this.#problems);
    }
    const { clusters: written, defaults, ...settings } = parsed.data;
    const clusters = written.flatMap((cluster, index) => this.#cluster(cluster, defaults, ['clusters', index]));
    this.#addTwins(written);
    if (this.#problems.length > 0) throw wrongFile(this.#place.name, this.#problems);
    return { settings: resolveSettings(settings, this.#place.directory), clusters };
  }

  readClusters(): ClusterSpec[] {
    if (this.#has(['clusters'])) return this.read().clusters;
    const value = this.#plain();
    if (isPlain(value)) {
      const clusters = this.#cluster(value, {}, []);
      if (this.#problems.length === 0) return clusters;
    } else this.#add([], 'this is no cluster', 'Write name, endpoints and store; docs/OPERATIONS.md shows it.');
    throw wrongFile(this.#place.name, this.#problems);
  }

  #plain(): unknown {
    try {
      return plainValue(this.#document);
    } catch (error) {
      if (!(error instanceof NoPlainValue)) throw error;
      throw wrongFile(this.#place.name, [{ line: 1, said: error.message, remedy: error.remedy }]);
    }
  }

  #cluster(written: Record<string, unknown>, defaults: Record<string, unknown>, prefix: Path): ClusterSpec[] {
    const merged = merge(merge(FLEET_DEFAULTS, defaults), written);
    const read = readSpecOrFaults(fileSpecSchema, merged);
    if (read.spec !== undefined) return [resolveSpec(read.spec, this.#place.directory)];
    this.#addIssues(read.issues, prefix, { written, defaults });
    for (const { path: at, message } of read.schedules) {
      const path = this.#whereWritten(at, prefix, { written, defaults });
      const said = `${subject(written)}${at.join('.')}: ${message}`;
      this.#add(path, said, 'Correct the value; docs/OPERATIONS.md shows a whole file.');
    }
    return [];
  }

  /** A name says which repository is written: two clusters in one would destroy each other's history. */
  #addTwins(written: readonly Record<string, unknown>[]): void {
    const names = written.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      const first = names.indexOf(name);
      if (typeof name !== 'string' || first === index) continue;
      const line = this.#lineOf(['clusters', index, 'name']);
      this.#problems.push({
        line,
        said: `the cluster ${name} is there already, in line ${this.#lineOf(['clusters', first, 'name'])}`,
        remedy: 'Give each cluster a name of its own; it is the name of its repository, too.',
      });
    }
  }

  #addIssues(
    issues: readonly z.core.$ZodIssue[],
    prefix: Path,
    merged?: { written: Record<string, unknown>; defaults: Record<string, unknown> },
  ): void {
    for (const issue of issues) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) this.#addUnknownKey([...issue.path, key], prefix, merged);
        continue;
      }
      const path = this.#whereWritten(issue.path, prefix, merged);
      const at = issue.path.map(String).join('.');
      const missing = issue.code === 'invalid_type' && !this.#has(path);
      const said = missing ? `${at} is missing` : `${at === '' ? 'the file' : at}: ${issue.message}`;
      const remedy = missing ? `Add it: ${at}: ...` : 'Correct the value; docs/OPERATIONS.md shows a whole file.';
      this.#add(path, `${subject(merged?.written)}${said}`, remedy);
    }
  }

  #addUnknownKey(
    issuePath: Path,
    prefix: Path,
    merged: { written: Record<string, unknown>; defaults: Record<string, unknown> } | undefined,
  ): void {
    const path = this.#whereWritten(issuePath, prefix, merged);
    const said = `${subject(merged?.written)}there is no setting '${issuePath.map(String).join('.')}'`;
    this.#add(path, said, 'Remove it, or correct its spelling; docs/OPERATIONS.md shows a whole file.');
  }

  /** One line in `defaults` that is wrong is told once, not for every cluster. */
  #add(path: Path, said: string, remedy: string): void {
    const found = { line: this.#lineOf(path), said, remedy };
    const inDefaults = path[0] === 'defaults';
    const key = (text: string): string => text.replace(/the cluster \S+: /, '');
    if (inDefaults && this.#problems.some((one) => one.line === found.line && key(one.said) === key(said))) return;
    this.#problems.push(found);
  }

  /** What a cluster did not write itself comes from the defaults. */
  #whereWritten(
    path: Path,
    prefix: Path,
    merged: { written: Record<string, unknown>; defaults: Record<string, unknown> } | undefined,
  ): Path {
    const own = [...prefix, ...path];
    if (merged === undefined || this.#has(own)) return own;
    const inDefaults = ['defaults', ...path];
    return this.#has(inDefaults) ? inDefaults : own;
  }

  #has(path: Path): boolean {
    return this.#document.hasIn(path);
  }

  /** Of the value, or of the nearest thing around it that is written. */
  #lineOf(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const node: unknown = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range !== null && node.range !== undefined) {
        return this.#lines.linePos(node.range[0]).line;
      }
    }
    return 1;
  }
}

function subject(written: Record<string, unknown> | undefined): string {
  if (written === undefined) return '';
  return typeof written['name'] === 'string' ? `the cluster ${written['name']}: ` : 'a cluster: ';
}

/** What is written wins, key by key; a list replaces a list. */
function merge(below: Record<string, unknown>, above: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = merged[key];
    merged[key] = isPlain(under) && isPlain(value) ? merge(under, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The daemon may run anywhere: relative paths are meant from the file. */
export function resolveSpec(spec: ClusterSpec, directory: string): ClusterSpec {
  const at = (path: string): string => resolve(directory, path);
  const { tls, auth, maintenanceAuth, encryption, store, destinations } = spec;
  return {
    ...spec,
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...tls,
            ...(tls.caFile === undefined ? {} : { caFile: at(tls.caFile) }),
            ...(tls.certFile === undefined ? {} : { certFile: at(tls.certFile) }),
            ...(tls.keyFile === undefined ? {} : { keyFile: at(tls.keyFile) }),
          },
        }),
    ...(auth === undefined ? {} : { auth: { ...auth, passwordFile: at(auth.passwordFile) } }),
    ...(maintenanceAuth === undefined
      ? {}
      : { maintenanceAuth: { ...maintenanceAuth, passwordFile: at(maintenanceAuth.passwordFile) } }),
    ...(encryption?.recipientsFile === undefined
      ? {}
      : { encryption: { ...encryption, recipientsFile: at(encryption.recipientsFile) } }),
    store: resolveStorePaths(store, directory),
    ...(destinations === undefined
      ? {}
      : { destinations: destinations.map((one) => ({ ...one, store: resolveStorePaths(one.store, directory) })) }),
  };
}
