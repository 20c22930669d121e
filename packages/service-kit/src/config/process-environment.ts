import type { Environment } from './load-config.ts';

/** The one place where a service's environment is taken from the process. */
export function processEnvironment(): Environment {
  return process.env;
}
