import { eventually } from '@etcd-ops/test-kit';
import { expect } from 'vitest';
import type { Prometheus } from './prometheus.ts';
import { queriesOfAlerts, queriesOfDashboards, selectorsOf, variablesOfDashboards, type Query } from './queries.ts';

const WAIT = { timeoutMs: 60_000, intervalMs: 500 };

/** What a fleet that is young and well has no series of. */
const NEVER_HAPPENED = /^etcdops_defrag_duration_seconds_/;

/** Panels of such a fleet that show nothing though their series are there; each with why. */
const EMPTY_WHILE_WELL: Readonly<Record<string, string>> = {
  'etcd-ops: cluster: Blocked by defragmentation': 'no member was defragmented',
  'etcd-ops: fleet: Attempts that failed': 'none failed',
  'etcd-ops: fleet: Histories that began within a day': 'the first one is neither a gap nor a fork',
  'etcd-ops: fleet: Proofs that failed last': 'none failed',
};

interface Target {
  scrapeUrl: string;
  health: string;
  lastError: string;
}
interface Rule {
  name: string;
  health: string;
  lastError?: string;
  state: string;
}

/** All is scraped, all rules are taken and none is about to fire, and whatever rules and dashboards ask for has an answer. */
export async function prometheusSees(prometheus: Prometheus, targets: readonly string[]): Promise<void> {
  await eventually(async () => {
    const { activeTargets } = await prometheus.ask<{ activeTargets: Target[] }>('targets', { state: 'active' });
    const seen = activeTargets.map(({ scrapeUrl, health, lastError }) => ({ scrapeUrl, health, lastError }));
    expect(seen.toSorted((a, b) => a.scrapeUrl.localeCompare(b.scrapeUrl))).toEqual(
      targets.toSorted().map((target) => ({ scrapeUrl: `http://${target}/metrics`, health: 'up', lastError: '' })),
    );
  }, WAIT);

  const panels = queriesOfDashboards();
  const selectors = [...queriesOfAlerts(), ...panels].flatMap((query) =>
    selectorsOf(query).map((expr): Query => ({ who: query.who, expr, labels: [] })),
  );
  // Once is enough: where the machine is slow, a scrape may fail, and what it would have brought is not there for a while.
  let open = [
    ...selectors.filter(({ expr }) => !NEVER_HAPPENED.test(expr)),
    ...panels.filter(({ who }) => !(who in EMPTY_WHILE_WELL)),
  ];
  await eventually(async () => expect((open = await unanswered(prometheus, open))).toEqual([]), WAIT);
  // Those that may be empty are at least queries.
  await unanswered(prometheus, [...queriesOfAlerts(), ...panels]);
  for (const { metric, label } of variablesOfDashboards()) {
    const values = await prometheus.ask<string[]>(`label/${label}/values`, { 'match[]': metric });
    expect(values.length, `${metric}, ${label}`).toBeGreaterThan(0);
  }

  await eventually(async () => {
    const { groups } = await prometheus.ask<{ groups: { rules: Rule[] }[] }>('rules');
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.map(({ health, lastError = '' }) => ({ health, lastError }))).toEqual(
      rules.map(() => ({ health: 'ok', lastError: '' })),
    );
    expect(rules.filter(({ state }) => state !== 'inactive').map(({ name, state }) => `${name} ${state}`)).toEqual([]);
  }, WAIT);
}

interface Sample {
  metric: Record<string, string>;
}

/** Those without a result that has all the labels that it is shown by. @throws Error when Prometheus does not take one. */
async function unanswered(prometheus: Prometheus, queries: readonly Query[]): Promise<Query[]> {
  const answered = await Promise.all(
    queries.map(async ({ expr, labels }) => {
      const { result } = await prometheus.ask<{ result: Sample[] }>('query', { query: expr });
      return result.length > 0 && result.every(({ metric }) => labels.every((label) => metric[label] !== undefined));
    }),
  );
  return queries.filter((_, index) => !answered[index]);
}
