import type { FullManifest } from './full-manifest.ts';

/** Causes of fulls that are products of other backups, or of another tool that does not say which of its fulls are (`foreign`: known by its name alone). */
const PRODUCTS: ReadonlySet<string> = new Set(['compact', 'import', 'foreign']);

/**
 * Whether a member of the cluster gave this full, so that it speaks for what the cluster held. One that `compact` made says only what the
 * full and the deltas say that it was made of; an imported one may be such a product of the tool that wrote it, whose names do not tell.
 */
export function isOfCluster({ manifest }: { manifest: Pick<FullManifest, 'cause'> }): boolean {
  return !PRODUCTS.has(manifest.cause);
}
