import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { COMMANDS } from '../commands/command-list.ts';
import { commandsPage } from './commands-page.ts';
import { dashboardFiles } from './dashboards/dashboard-files.ts';
import { withFailureTables } from './failure-table.ts';
import { logsPage } from './logs-page.ts';
import { withMessageTables } from './messages-tables.ts';
import { metricsPage } from './metrics-page.ts';
import { natsFiles } from './nats-files.ts';
import { prometheusRule } from './prometheus-rule.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const DOCS = join(ROOT, 'docs');

writeFileSync(join(DOCS, 'COMMANDS.md'), commandsPage(COMMANDS));
const operations = join(DOCS, 'OPERATIONS.md');
writeFileSync(operations, withFailureTables(readFileSync(operations, 'utf8')));
writeFileSync(join(DOCS, 'METRICS.md'), metricsPage());
writeFileSync(join(DOCS, 'LOGS.md'), logsPage());
const messages = join(DOCS, 'MESSAGES.md');
writeFileSync(messages, withMessageTables(readFileSync(messages, 'utf8')));
for (const [name, text] of Object.entries(natsFiles())) writeFileSync(join(ROOT, 'deploy', 'nats', name), text);
for (const [name, text] of Object.entries(dashboardFiles())) {
  const path = join(ROOT, 'deploy', 'grafana', 'dashboards', name);
  // What the formatter made of it says the same.
  if (!isDeepStrictEqual(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(text))) writeFileSync(path, text);
}
const alerts = parse(readFileSync(join(ROOT, 'deploy', 'prometheus', 'alerts.yml'), 'utf8')) as { groups: unknown[] };
const rule = join(ROOT, 'deploy', 'kubernetes', 'prometheus-rule.yaml');
if (!isDeepStrictEqual(parse(readFileSync(rule, 'utf8')), parse(prometheusRule(alerts)))) {
  writeFileSync(rule, prometheusRule(alerts));
}
