import type { ClusterSpec, EventWriter, FullTask } from '@etcd-ops/bus';
import type { Revision } from '@etcd-ops/core';
import type { EtcdMember, ResponseHeader } from '@etcd-ops/etcd-client';
import type { ServiceContext } from '@etcd-ops/service-kit';
import type { CaptureMemory } from './capture-memory.ts';
import type { CaptureWatch } from './capture-watch.ts';
import type { WatcherSettings } from './settings.ts';
import type { PublishedPoint } from './frame-publisher.ts';
import type { LeaseTracker } from './lease-tracker.ts';
import type { CaptureVoice } from './metrics.ts';

/** What is the same all through one session. */
export interface SessionTools {
  spec: ClusterSpec;
  context: ServiceContext;
  settings: WatcherSettings;
  voice: CaptureVoice;
  memory: CaptureMemory;
  /** Everything of a session is asked of one member: a proof about one says nothing about another. */
  member: EtcdMember;
  /** The linearizable read that the member was chosen by; the first who asks gets it. */
  takeHead: () => ResponseHeader | undefined;
  leases: LeaseTracker;
  writer: EventWriter;
  /** Opens the session's watch; one at a time. `segments`: catching up in so many segments at a time. */
  openWatch: (anchor: Revision, recorded: string | null, segments?: WatchInSegments) => CaptureWatch;
  /** Asks for a full snapshot beside the capture, until it is accepted or the session ends. */
  wantFull: (cause: FullTask['cause']) => void;
  /** What it waits for, in one line for people. */
  onWaiting: (what: string) => void;
  signal: AbortSignal;
}

export interface WatchInSegments {
  headRevision: Revision;
  segmentsMax: number;
  revisionBytes: number;
}

/** A watch whose anchor is settled, and L. */
export interface OpenWatch {
  watch: CaptureWatch;
  point: PublishedPoint;
  inSegments?: boolean;
  /** Of the member, if it was asked already. */
  version?: string | undefined;
}

/** Why a new history begins, and what is known of the one before. */
export interface NewHistory {
  cause: 'first' | 'fork' | 'gap';
  /** The timeline that it belongs to. */
  timeline: number;
  after?: Revision;
  compacted?: Revision;
}
