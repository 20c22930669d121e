import { join } from 'node:path';
import { AskedProcess } from './asked-process.ts';

export interface StandInQuestion {
  /** Over all clusters, in turns; stays until it is set again. */
  writesPerSecond?: number;
  endpoints?: boolean;
}

export interface StandInReport {
  endpoints: string[];
  revisions: number[];
  /** Clusters with a watch open. */
  watched: number;
  watchedTwice: number;
  calls: Record<string, number>;
  callsMax: number;
  connections: number;
}

export type StandInProcess = AskedProcess<StandInQuestion, StandInReport>;

export async function startStandIn(clusters: number): Promise<StandInProcess> {
  return await AskedProcess.start<StandInQuestion, StandInReport>(join(import.meta.dirname, 'stand-in-process.ts'), [
    String(clusters),
  ]);
}
