import type { RestoreChosen } from '@etcd-ops/bus';
import type { BeforeDelete, SafeBump } from '@etcd-ops/core';

/** What was chosen where a request left the choice, as answers and results tell it. */
export function describeChosen({
  latestObservedMs,
  beforeDelete,
  bumped,
  safeBump,
}: {
  latestObservedMs?: number | undefined;
  beforeDelete?: BeforeDelete | undefined;
  bumped?: { by: number; revision: number } | undefined;
  safeBump?: SafeBump | undefined;
}): RestoreChosen {
  return {
    ...(latestObservedMs === undefined ? {} : { latestObserved: new Date(latestObservedMs).toISOString() }),
    ...(beforeDelete === undefined ? {} : { beforeDelete }),
    ...(bumped === undefined ? {} : { bumped }),
    ...(safeBump === undefined ? {} : { safeBump: describeSafeBump(safeBump) }),
  };
}

function describeSafeBump(bump: SafeBump): NonNullable<RestoreChosen['safeBump']> {
  const { highestCaptured, highestCapturedMs, ratePerSecond, rateIsAssumed, lagMs, explanation } = bump;
  return {
    highestCaptured,
    ...(highestCapturedMs === undefined ? {} : { highestCapturedTime: new Date(highestCapturedMs).toISOString() }),
    ratePerSecond,
    rateIsAssumed,
    lagMs,
    explanation,
  };
}
