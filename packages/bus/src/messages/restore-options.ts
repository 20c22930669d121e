import { posix } from 'node:path';
import { ETCD_TARGETS } from '@etcd-ops/core';
import { z } from 'zod';
import { destinationNameSchema } from './destination-spec.ts';
import { restoreChangesShape } from './restore-changes.ts';
import { nameSchema } from './task-base.ts';

const pathSchema = z.string().min(1).max(4096);

const dataDirsSchema = z
  .array(z.strictObject({ member: nameSchema, dataDir: pathSchema, walDir: pathSchema.exactOptional() }))
  .min(1)
  .max(64)
  .check(checkDataDirs);
type DataDirs = { member: string; dataDir: string; walDir?: string }[];

/** What would else fail on the host that restores, half an hour later. */
function checkDataDirs({ value, issues }: { value: DataDirs; issues: z.core.$ZodRawIssue[] }): void {
  const members = new Set<string>();
  const places: string[] = [];
  for (const [index, { member, dataDir, walDir }] of value.entries()) {
    const refuse = (field: string, input: string, message: string) =>
      issues.push({ code: 'custom', path: [index, field], message, input });
    if (members.has(member)) refuse('member', member, `the member ${member} has a directory already`);
    members.add(member);
    for (const [field, path] of Object.entries({ dataDir, walDir })) {
      if (path === undefined) continue;
      const place = posix.join(path, '/');
      if (places.includes(place)) refuse(field, path, `${path} is named twice: every directory needs its own place`);
      else if (places.some((other) => place.startsWith(other) || other.startsWith(place))) {
        refuse(field, path, `${path} and another one lie in each other: every directory needs its own place`);
      }
      places.push(place);
    }
  }
}

/** What a restore writes and for which membership; shared by the requests and the task. */
export const restoreOptionsShape = {
  /** One data directory for each member to write, by the member's name. */
  dataDirs: dataDirsSchema,
  /** As etcd's --initial-cluster: `m1=http://10.0.0.1:2380,m2=...`. */
  initialCluster: z.string().min(1).max(65_536),
  token: z.string().min(1).max(256).default('etcd-cluster'),
  target: z.enum(ETCD_TARGETS).exactOptional(),
  /** Restores from the copy in this destination of the cluster. */
  destination: destinationNameSchema.exactOptional(),
  /** Of `latest`: the newest that can be restored, also where more was captured; else that is refused. */
  allowOlder: z.boolean().exactOptional(),
  skipHashCheck: z.boolean().exactOptional(),
  /** Deltas fetched at once; 4 unless told. */
  maxFetchers: z.number().int().min(1).max(64).exactOptional(),
  ...restoreChangesShape,
};
