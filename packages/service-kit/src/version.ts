import { readFileSync } from 'node:fs';

let version: string | undefined;

/** The version of etcd-ops, as this package records it. */
export function etcdOpsVersion(): string {
  version ??= versionIn(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));
  return version;
}

function versionIn(manifest: unknown): string {
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
