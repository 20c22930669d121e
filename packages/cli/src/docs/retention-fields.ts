const RANGE = (path: string, what: string): Record<string, string> => ({
  [`${path}[].timeline`]: `${what}: its timeline`,
  [`${path}[].from`]: 'its first revision',
  [`${path}[].to`]: 'its last revision',
  [`${path}[].fromTime`]: 'the earliest time that is known in it',
  [`${path}[].toTime`]: 'the latest',
});

const DECISION = (path: string, what: string): Record<string, string> => ({
  [`${path}[].kind`]: `${what}: \`full\`, \`delta\`, \`orphan\` (half of a full) or \`damaged\``,
  [`${path}[].keys[]`]: 'its objects; of a full the manifest first',
  [`${path}[].timeline`]: 'its timeline',
  [`${path}[].revision`]: 'of a full: its revision',
  [`${path}[].createdAt`]: 'of a full: when it was taken',
  [`${path}[].first`]: 'of a delta: its first revision',
  [`${path}[].last`]: 'of a delta: its last revision',
  [`${path}[].bytes`]: 'stored bytes',
  [`${path}[].code`]: 'why, for programs',
  [`${path}[].reason`]: 'why, for people',
});

const TOTAL = (path: string, what: string): Record<string, string> => ({
  [`${path}.things`]: `${what}; a full with its manifest is one`,
  [`${path}.objects`]: 'objects of them',
  [`${path}.bytes`]: 'their bytes',
});

export const GC_PLAN = {
  cluster: 'the repository',
  'policy.name': '`LimitBased`, `KeepAlways`, `Exponential` or `KeepRules`',
  'policy.maxBackups': 'of LimitBased: fulls to keep',
  'policy.keepLast': 'the value of --keep-last, if it is a rule; so are the next ones',
  'policy.keepHourly': 'of --keep-hourly',
  'policy.keepDaily': 'of --keep-daily',
  'policy.keepWeekly': 'of --keep-weekly',
  'policy.keepMonthly': 'of --keep-monthly',
  'policy.keepYearly': 'of --keep-yearly',
  'policy.keepWithinMs': 'of --keep-within',
  'policy.deltaRetention': '`with-base` or `newest-chain`',
  'policy.pointInTimeWindowMs': 'length of the window; 0: none',
  'policy.timeZone': 'in which periods are counted',
  'policy.graceMs': 'from marking to removing',
  ...DECISION('keep', 'what stays'),
  ...DECISION('remove', 'what goes, in the order of removal'),
  'remove[].stage':
    '`mark`: `apply` will mark it; `waiting`: marked, not due; `remove`: due; `held`: somebody reads it; `refused`: the store would not delete it',
  'remove[].due': 'of `waiting` and `refused`: from when on a run removes it',
  'remove[].heldBy': 'of `held`: who reads it',
  ...TOTAL('kept', 'how much stays'),
  ...TOTAL('removed', 'how much goes'),
  ...RANGE('unrestorable', 'revisions that cannot be restored any more when all of it has gone'),
  ...RANGE('restorable', 'what can be restored then'),
};

export const GC_APPLIED = {
  cluster: 'the repository',
  ...TOTAL('marked', 'marked now, to be removed by a later run'),
  'marked.keys[]': 'objects',
  ...TOTAL('removed', 'removed now'),
  'removed.keys[]': 'objects',
  ...TOTAL('waiting', 'marked before, and not due'),
  ...TOTAL('held', 'due, but somebody reads it'),
  'refused[].key': 'an object that the store would not delete',
  'refused[].problem': 'what it said',
  untried: 'what was not tried any more, since the store refused one after the other',
  pinnedMeanwhile: 'true: a pin was made while this ran; the rest is left to the next run',
  swept: 'files or uploads that dead writers had left behind, removed',
  graceMs: 'from marking to removing',
  ...RANGE('unrestorable', 'revisions that cannot be restored any more when all planned has gone'),
  ...RANGE('restorable', 'what can be restored then'),
};

const PIN_FIELDS = (path: string): Record<string, string> => ({
  [`${path}id`]: 'id of the pin; `unpin` takes it',
  [`${path}timeline`]: 'of the revision',
  [`${path}revision`]: 'what is pinned',
  [`${path}full`]: 'the full that it is made from',
  [`${path}time`]: 'the time that was asked for, if it was one',
  [`${path}reason`]: 'why',
  [`${path}createdAt`]: 'when it was pinned',
  [`${path}until`]: 'when the pin ends by itself',
});

export const PINNED = {
  ...PIN_FIELDS(''),
  cluster: 'the repository',
  deltas: 'deltas that it keeps beside the full',
  bytes: 'their bytes and those of the full',
  'warnings[]': 'what should be known',
};

export const UNPINNED = {
  id: 'id of the pin that is gone',
  timeline: 'of the revision that it kept',
  revision: 'that revision',
};

/** Of `list`. */
export const LISTED_PINS = {
  ...PIN_FIELDS('pins[].'),
  'markedForRemoval[]': 'objects that a garbage collection has marked, and a later one removes',
};
