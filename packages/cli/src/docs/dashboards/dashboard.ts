/** What a panel shows, in the few words that ours need; `dashboardJson` makes Grafana's JSON of it. */
export interface Panel {
  title: string;
  /** What it means, and when to look closer. */
  description: string;
  type: 'timeseries' | 'stat' | 'table' | 'bargauge';
  /** Grafana's name of it. */
  unit: 'short' | 's' | 'bytes' | 'Bps' | 'ops' | 'percentunit' | 'dateTimeFromNow';
  /** PromQL, and the legend. */
  queries: readonly (readonly [expr: string, legend: string])[];
  /** Yellow and red from these values on; `below` where less is worse. */
  thresholds?: { warn: number; bad: number; below?: boolean };
  /** Of the 24 columns; default 12. */
  width?: 6 | 8 | 12 | 24;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  /** Chosen at the top; the query names the metric whose label it is. */
  variables: readonly { name: string; label: string; metric: string }[];
  rows: readonly { title: string; panels: readonly Panel[] }[];
}

const COLUMNS = 24;
const HEIGHT = 8;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Grafana's model of a dashboard, of the schema that Grafana 9 and newer read. */
export function dashboardJson({ uid, title, description, variables, rows }: Dashboard): string {
  const panels: unknown[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y++;
    let x = 0;
    for (const panel of row.panels) {
      const w = panel.width ?? 12;
      if (x + w > COLUMNS) [x, y] = [0, y + HEIGHT];
      panels.push(panelJson(panel, panels.length + 1, { x, y, w, h: HEIGHT }));
      x += w;
    }
    y += HEIGHT;
  }
  const model = {
    ...{ uid, title, description, tags: ['etcd-ops'], editable: true, schemaVersion: 39, version: 1, refresh: '30s' },
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    graphTooltip: 1,
    links: [
      {
        type: 'dashboards',
        title: 'etcd-ops',
        tags: ['etcd-ops'],
        asDropdown: true,
        keepTime: true,
        includeVars: true,
      },
    ],
    templating: { list: [datasourceVariable(), ...variables.map(variableJson)] },
    annotations: { list: [] },
    panels,
  };
  return `${JSON.stringify(model, undefined, 2)}\n`;
}

function panelJson(panel: Panel, id: number, gridPos: object): unknown {
  const { title, description, type, unit, queries, thresholds } = panel;
  const isTable = type === 'table';
  return {
    ...{ id, type, title, description, gridPos, datasource: DATASOURCE },
    fieldConfig: {
      defaults: { unit, min: unit === 'dateTimeFromNow' ? undefined : 0, ...thresholdsJson(thresholds, type) },
      overrides: [],
    },
    options: optionsOf(type),
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      ...{ datasource: DATASOURCE, expr, legendFormat },
      ...(isTable ? { instant: true, range: false, format: 'table' } : {}),
    })),
  };
}

function thresholdsJson(thresholds: Panel['thresholds'], type: Panel['type']): object {
  if (thresholds === undefined) return { thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] } };
  const { warn, bad, below = false } = thresholds;
  const steps = below
    ? [
        ['red', null],
        ['yellow', bad],
        ['green', warn],
      ]
    : [
        ['green', null],
        ['yellow', warn],
        ['red', bad],
      ];
  return {
    thresholds: { mode: 'absolute', steps: steps.map(([color, value]) => ({ color, value })) },
    color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
    ...(type === 'timeseries' ? { custom: { thresholdsStyle: { mode: 'dashed' } } } : {}),
  };
}

function optionsOf(type: Panel['type']): object {
  switch (type) {
    case 'timeseries':
      return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
    case 'stat':
    case 'bargauge':
      return { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } };
    case 'table':
      return { showHeader: true };
  }
}

function datasourceVariable(): unknown {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };
}

function variableJson({ name, label, metric }: Dashboard['variables'][number]): unknown {
  const query = `label_values(${metric}, ${name})`;
  return {
    ...{ name, label, type: 'query', datasource: DATASOURCE, definition: query, query: { query, refId: name } },
    ...{
      refresh: 2,
      sort: 1,
      multi: true,
      includeAll: true,
      allValue: '.*',
      current: { text: 'All', value: '$__all' },
    },
  };
}
