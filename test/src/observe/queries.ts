import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DEPLOY = join(import.meta.dirname, '..', '..', '..', 'deploy');

/** What somebody asks Prometheus. */
export interface Query {
  /** Who asks: an alert, or a panel of a dashboard. */
  readonly who: string;
  readonly expr: string;
  /** Labels that the result is shown by. */
  readonly labels: readonly string[];
}

/** The alert rules; they are empty while all is well. */
export function queriesOfAlerts(): Query[] {
  const { groups } = parse(readFileSync(join(DEPLOY, 'prometheus', 'alerts.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules).map(({ alert, expr }) => ({ who: alert, expr, labels: [] }));
}

/** The series that a query looks at, without its conditions on values. */
export function selectorsOf({ expr }: Query): string[] {
  return [...expr.matchAll(/\b(?:etcdops_[a-z_0-9]+|process_[a-z_]+|up)\b(?:\{[^}]*\})?/g)].map(
    ([selector]) => selector,
  );
}

interface Dashboard {
  title: string;
  templating: { list: { type: string; definition?: string }[] };
  panels: { title?: string; targets?: { expr: string; legendFormat?: string }[] }[];
}

const dashboards = (): Dashboard[] => {
  const folder = join(DEPLOY, 'grafana', 'dashboards');
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Dashboard);
};

/** Every query of every panel, with all that its variables may be. */
export function queriesOfDashboards(): Query[] {
  return dashboards().flatMap(({ title, panels }) =>
    panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr, legendFormat = '' }) => ({
        who: `${title}: ${panel.title}`,
        expr: expr.replaceAll(/\$[a-z]+/g, '.*'),
        labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!),
      })),
    ),
  );
}

/** The metric and the label that each variable of a dashboard takes its values from. */
export function variablesOfDashboards(): { metric: string; label: string }[] {
  return dashboards()
    .flatMap(({ templating }) => templating.list)
    .filter(({ type }) => type === 'query')
    .map(({ definition }) => {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '')!;
      return { metric: metric!, label: label! };
    });
}
