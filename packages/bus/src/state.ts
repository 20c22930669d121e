import type { Bus } from './connection.ts';
import { Documents } from './documents.ts';
import { attemptSchema, type Attempt } from './messages/attempt.ts';
import { clusterSpecSchema, type ClusterSpec } from './messages/cluster-spec.ts';
import { jobSchema, type Job } from './messages/job.ts';
import { lastDoneSchema, type LastDone } from './messages/last-done.ts';
import { ownerSchema, type Owner } from './messages/owner.ts';
import { positionSchema, type Position } from './messages/position.ts';
import { CLUSTERS_BUCKET, JOBS_BUCKET, OWNERS_BUCKET, STATE_BUCKET } from './names.ts';

/** The clusters under care; keys by `clusterKey`. */
export function clusterSpecs(bus: Bus): Documents<ClusterSpec> {
  return new Documents<ClusterSpec>(bus, CLUSTERS_BUCKET, clusterSpecSchema);
}

/** Who captures which cluster; keys by `clusterKey`, gone OWNER_TTL_MS after their last renewal. */
export function owners(bus: Bus): Documents<Owner> {
  return new Documents<Owner>(bus, OWNERS_BUCKET, ownerSchema);
}

/** How far clusters are durable; keys by `positionKey`. */
export function positions(bus: Bus): Documents<Position> {
  return new Documents<Position>(bus, STATE_BUCKET, positionSchema);
}

/** What was done last; keys by `lastDoneKey`. */
export function lastDone(bus: Bus): Documents<LastDone> {
  return new Documents<LastDone>(bus, STATE_BUCKET, lastDoneSchema);
}

/** Failed attempts; keys by `attemptKey`. */
export function attempts(bus: Bus): Documents<Attempt> {
  return new Documents<Attempt>(bus, STATE_BUCKET, attemptSchema);
}

/** What was asked for over the API; keys by `jobKey`. */
export function jobs(bus: Bus): Documents<Job> {
  return new Documents<Job>(bus, JOBS_BUCKET, jobSchema);
}
