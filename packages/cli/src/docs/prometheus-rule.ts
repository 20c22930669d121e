import { stringify } from 'yaml';

const HEAD = `# Made by packages/cli/src/docs/write-docs.ts of deploy/prometheus/alerts.yml. Needs the Prometheus operator.
`;

/** deploy/kubernetes/prometheus-rule.yaml: the alert rules as the Prometheus operator takes them. */
export function prometheusRule(alerts: { groups: unknown[] }): string {
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'etcd-ops', labels: { 'app.kubernetes.io/name': 'etcd-ops' } },
    spec: { groups: alerts.groups },
  };
  return HEAD + stringify(rule, { lineWidth: 0, singleQuote: true });
}
