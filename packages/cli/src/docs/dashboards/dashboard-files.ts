import { CLUSTER_DASHBOARD } from './cluster-dashboard.ts';
import { dashboardJson, type Dashboard } from './dashboard.ts';
import { FLEET_DASHBOARD } from './fleet-dashboard.ts';
import { SERVICES_DASHBOARD } from './services-dashboard.ts';

export const DASHBOARDS: Readonly<Record<string, Dashboard>> = {
  'fleet.json': FLEET_DASHBOARD,
  'cluster.json': CLUSTER_DASHBOARD,
  'services.json': SERVICES_DASHBOARD,
};

/** Of deploy/grafana/dashboards. */
export function dashboardFiles(): Record<string, string> {
  return Object.fromEntries(Object.entries(DASHBOARDS).map(([name, dashboard]) => [name, dashboardJson(dashboard)]));
}
