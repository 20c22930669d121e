/** What a scheduler asks for; restores are asked for by people. */
export const DISPATCHED_KINDS = ['full', 'delta', 'gc', 'defrag', 'verify', 'merge', 'witness', 'copy'] as const;
export type DispatchedKind = (typeof DISPATCHED_KINDS)[number];
