import { isDeepStrictEqual } from 'node:util';
import type { Fleet } from './fleet-file.ts';

type Settings = Fleet['settings'];

/** Names of the settings that a running `up` does not follow and that are others than those it runs with; flags go before the file. */
export function changedSettings(running: Settings, found: Settings, givenByFlag: readonly string[] = []): string[] {
  const names = new Set([...Object.keys(running), ...Object.keys(found)]);
  return [...names]
    .filter((name) => !givenByFlag.includes(name))
    .filter((name) => !isDeepStrictEqual(valueOf(running, name), valueOf(found, name)))
    .toSorted();
}

function valueOf(settings: Settings, name: string): unknown {
  return (settings as Record<string, unknown>)[name];
}
