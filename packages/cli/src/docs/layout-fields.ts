/** What `import` prints. */
export const IMPORTED = {
  dryRun: 'true: nothing was imported',
  fulls: 'fulls that were imported',
  deltas: 'deltas of the other tool that were imported; a large one became several of ours',
  there: 'snapshots that an import before this one had brought',
  rows: 'rows in the deltas',
  'damaged[].key': 'a snapshot that was left out',
  'damaged[].problem': 'why',
};

export const IMPORT_PLAN = {
  dryRun: 'true: nothing was imported',
  'steps[].key': 'a snapshot of the other tool',
  'steps[].kind': '`full` or `delta`',
  'steps[].timeline': 'the timeline that it belongs to: a cluster that was set back began another one',
  'steps[].action': '`import`, or `there` when it was imported before',
  'steps[].revision': 'its last revision, as its name tells; not for single files',
};

/** What `export` prints. */
export const EXPORTED = {
  dryRun: 'true: nothing was written',
  layout: '`seed` or `gardener`',
  revision: 'the last revision that the other tool can restore now',
  'keys[]': 'what was written',
  fulls: 'fulls among them',
  deltas: 'deltas among them',
  bytes: 'their stored bytes',
};

export const EXPORT_PLAN = {
  dryRun: 'true: nothing was written',
  'links[].full': 'a full of ours',
  'links[].revision': 'its revision',
  'links[].writesFull': 'false when the other tool has it already',
  'links[].deltasFrom': 'the first revision to be written as deltas behind it',
  'links[].deltasTo': 'the last one',
};
