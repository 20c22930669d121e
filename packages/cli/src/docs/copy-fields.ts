const AMOUNT = (path: string, what: string): Record<string, string> => ({
  [`${path}.objects`]: `${what}: objects`,
  [`${path}.bytes`]: 'their stored bytes',
});

export const COPIED = {
  from: 'the source, as a person reads it',
  to: 'the target',
  durationMs: 'milliseconds that it took',
  dryRun: 'whether nothing was written',
  cluster: 'the repository',
  ...AMOUNT('planned', 'what was missing in the target when it began'),
  ...AMOUNT('copied', 'what was copied'),
  ...AMOUNT('present', 'what the target held already'),
  'damaged[].key': 'an object of the source that cannot be trusted and stayed behind',
  'damaged[].reason': 'why',
  'incomplete[].key': 'half of a full, left behind',
  'incomplete[].missing': '`manifest` or `data`',
  'incomplete[].bytes': 'stored bytes',
  'incomplete[].modifiedAtMs': 'when it was written, by the clock of the store',
  'gone[]': 'an object that retention removed while it was copied',
  foreign: 'files in the folder of the source that are of somebody else',
  holdProblem: 'why the source took no hold; absent when it did',
};
