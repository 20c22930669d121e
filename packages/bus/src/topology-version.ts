/**
 * Of what streams and consumers are configured to be: raised with every change of it. It stands in their descriptions, which servers of
 * all versions keep, so that an older command or service, which runs beside newer ones while a fleet is upgraded, does not change back
 * what a newer one has changed.
 */
export const TOPOLOGY_VERSION = 1;

const MARKER = /\betcd-ops topology (\d{1,9})$/;

export function topologyMarker(): string {
  return `etcd-ops topology ${TOPOLOGY_VERSION}`;
}

/** Whether a newer etcd-ops made it; what was made before there were markers counts as older. */
export function isOfLaterTopology({ description = '' }: { description?: string }): boolean {
  return Number(MARKER.exec(description)?.[1] ?? 0) > TOPOLOGY_VERSION;
}
