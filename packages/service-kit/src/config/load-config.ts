import { EtcdOpsError, nearestName } from '@etcd-ops/core';
import type { z } from 'zod';

export const ENVIRONMENT_PREFIX = 'ETCD_OPS_';

/** Set for other readers than a service's settings: the launcher's tools, the tests' servers. */
const FOREIGN_PREFIXES = ['TOOLS_', 'TEST_', 'BENCH_', 'DEMO_'];
/** A service's own settings begin with its name, so that one environment file can serve the whole fleet without warnings. */
const SERVICE_PREFIXES = ['SCHEDULER_', 'WATCHER_', 'UPLOADER_', 'GARBAGE_COLLECTOR_', 'RESTORER_', 'MAINTAINER_'];

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings of a zod object from the environment: `natsTokenFile` from `ETCD_OPS_NATS_TOKEN_FILE`.
 * An empty variable counts as not set.
 * @throws EtcdOpsError CONFIG_INVALID naming every wrong variable at once. Values are never repeated: they may be secret.
 */
export function loadServiceConfig<Shape extends z.ZodRawShape>(
  environment: Environment,
  schema: z.ZodObject<Shape>,
): z.output<z.ZodObject<Shape>> {
  const values: Record<string, string> = {};
  for (const key of Object.keys(schema.shape)) {
    const value = environment[environmentName(key)];
    if (value !== undefined && value.trim() !== '') values[key] = value.trim();
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) throw invalid(parsed.error, environment);
  return parsed.data;
}

/** One line for each `ETCD_OPS_*` variable that the schema of this service does not read and that no other service owns. */
export function unknownVariables(environment: Environment, schema: z.ZodObject, service: string): string[] {
  const known = Object.keys(schema.shape).map(environmentName);
  const own = `${service.replaceAll('-', '_').toUpperCase()}_`;
  const foreign = [...FOREIGN_PREFIXES, ...SERVICE_PREFIXES.filter((prefix) => prefix !== own)].map(
    (prefix) => ENVIRONMENT_PREFIX + prefix,
  );
  return Object.keys(environment)
    .filter(
      (name) =>
        name.startsWith(ENVIRONMENT_PREFIX) &&
        !known.includes(name) &&
        !foreign.some((prefix) => name.startsWith(prefix)),
    )
    .sort()
    .map((name) => unknownName(name, known));
}

/** `deltaPeriodMs` -> `ETCD_OPS_DELTA_PERIOD_MS`. */
export function environmentName(key: string): string {
  return ENVIRONMENT_PREFIX + key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function invalid(error: z.ZodError, environment: Environment): EtcdOpsError {
  const lines = error.issues.map((issue) => {
    const key = String(issue.path[0] ?? '');
    const name = key === '' ? 'settings' : environmentName(key);
    const missing = key !== '' && (environment[name] ?? '').trim() === '';
    return `${name}: ${missing ? 'is required' : issue.message}`;
  });
  return new EtcdOpsError('CONFIG_INVALID', {
    message: `${lines.length === 1 ? 'A setting is' : `${lines.length} settings are`} wrong: ${lines.join('; ')}`,
    remedy: `Correct ${lines.length === 1 ? 'the variable' : 'the variables'} named and start again.`,
  });
}

function unknownName(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined
    ? `${name} is no setting of this service`
    : `${name} is no setting of this service; did you mean ${nearest}?`;
}
