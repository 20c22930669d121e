/** How many times the run that is known a stretch is meant to have, where nothing else bounds it. */
const RUNS_OF_A_STRETCH = 8;

/**
 * Where the keys behind `last` are cut, so that others can list what comes after each cut at the same time. Names of ours hold numbers of one width that
 * count up: how far they get in one run of keys (from `first` to `last`) is taken to go on. A wrong guess costs requests and loses nothing. `until`: the keys
 * that are wanted end there; absent, with the folder. `pieces`: at most that many stretches come of it.
 */
export function listingCuts(
  run: { first: string; last: string },
  { until, pieces }: { until: string | undefined; pieces: number },
): string[] {
  const number = countingPart(run);
  if (number === undefined || pieces < 2) return [];
  const { begin, end } = number;
  const head = run.last.slice(0, begin);
  const width = end - begin;
  const at = Number(run.last.slice(begin, end));
  const perRun = at - Number(run.first.slice(begin, end));
  const bound = until?.startsWith(head) === true ? numberOf(until.slice(begin, end), width) : undefined;
  const count = bound === undefined ? pieces : Math.min(pieces, Math.floor((bound - at) / perRun));
  const step = bound === undefined ? perRun * RUNS_OF_A_STRETCH : Math.floor((bound - at) / count);
  const cuts: string[] = [];
  for (
    let cut = at + step;
    cuts.length < count - 1 && String(cut).length <= width && cut <= Number.MAX_SAFE_INTEGER;
    cut += step
  ) {
    cuts.push(head + String(cut).padStart(width, '0'));
  }
  return cuts.filter((cut) => until === undefined || cut < until);
}

/** The first number in which two keys differ, when both have it with one width and it grows. */
function countingPart({ first, last }: { first: string; last: string }): { begin: number; end: number } | undefined {
  let begin = 0;
  while (begin < first.length && first[begin] === last[begin]) begin++;
  while (begin > 0 && isDigit(last[begin - 1])) begin--;
  let end = begin;
  while (isDigit(last[end])) end++;
  const [from, to] = [first, last].map((key) => numberOf(key.slice(begin, end), end - begin));
  return from === undefined || to === undefined || to <= from ? undefined : { begin, end };
}

function numberOf(text: string, width: number): number | undefined {
  if (width === 0 || text.length !== width || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function isDigit(letter: string | undefined): boolean {
  return letter !== undefined && letter >= '0' && letter <= '9';
}
