import type { Random } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamAudit } from '../checks/stream-audit.ts';
import type { TickCheck } from '../checks/history-check.ts';
import type { ChaosWorld } from '../world/chaos-world.ts';

export interface FaultTools {
  world: ChaosWorld;
  audit: StreamAudit;
  ticks: TickCheck;
}

/** One fault with all its choices made: a round is written down before it happens. */
export interface PlannedFault {
  /** When it begins, counted from the round's beginning, and how long it is held. */
  atMs: number;
  holdMs: number;
  /** `kill watcher-1`. */
  text: string;
  begin: (tools: FaultTools) => Promise<void> | void;
  /** Ends it; whatever is left is healed with the round. */
  end?: (tools: FaultTools) => Promise<void> | void;
}

/** The target is chosen from the seed, also where the world has fewer of them. */
export type FaultMaker = (
  random: Random,
  world: ChaosWorld,
) => Omit<PlannedFault, 'atMs' | 'holdMs'> & { holdMs?: number };

/** Lets a planned fault happen; a fault on something that another fault has taken away is no fault. */
export async function happen(fault: PlannedFault, tools: FaultTools): Promise<void> {
  await delay(fault.atMs);
  await fault.begin(tools);
  await delay(fault.holdMs);
  await fault.end?.(tools);
}
