import { Random } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import { checkWorld } from './checks/check-world.ts';
import { TickCheck } from './checks/history-check.ts';
import { ProcessCheck } from './checks/process-check.ts';
import { StreamAudit } from './checks/stream-audit.ts';
import { happen, type FaultMaker, type PlannedFault } from './faults/fault.ts';
import { PROCESS_FAULTS } from './faults/process-faults.ts';
import { SERVER_FAULTS } from './faults/server-faults.ts';
import { ChaosWorld, type WorldOptions } from './world/chaos-world.ts';
import { StormLoad } from './world/storm-load.ts';

export interface StormOptions {
  seed: number;
  rounds: number;
  world?: WorldOptions;
  onRound?: (round: RoundReport) => void;
}

export interface RoundReport {
  round: number;
  faults: string[];
  operations: number;
  revision: number;
  /** Rows of deltas that were compared with the cluster's file. */
  rows: number;
  gaps: number;
  /** From the end of the faults until everything was restorable. */
  settleMs: number;
  totalMs: number;
}

export interface StormReport {
  rounds: RoundReport[];
  rssBytesMax: ProcessCheck['rssBytesMax'];
  /** Writers that wrote at all, messages in several parts, fulls on a tick: whether the storm has tried what it is for. */
  writers: number;
  splitEvents: number;
  tickedFulls: number;
}

/** How long a round's load runs and faults may be held. */
const LOAD_MS_MIN = 1_200;
const HOLD_MS_MAX = 2_000;
const BEGIN_MS_MAX = 1_000;
const COMPACTING_ROUNDS = 0.3;

/** Round after round: load, faults, healing, and then everything must be there. @throws with seed, round and logs. */
export async function runStorm({ seed, rounds, world: options = {}, onRound }: StormOptions): Promise<StormReport> {
  const random = new Random(seed);
  await using world = await ChaosWorld.open(options);
  await using audit = new StreamAudit(world);
  const storm = new Storm(world, audit, seed);
  const reports: RoundReport[] = [];
  audit.start();
  for (let round = 1; round <= rounds; round++) {
    const faults = round === 1 ? [] : planRound(random, world);
    try {
      const report = await storm.round(round, faults);
      reports.push(report);
      onRound?.(report);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const plan = faults.map(described).join('; ');
      const facts = await world.facts().catch((failure: unknown) => String(failure));
      const message = `Storm of seed ${seed}, round ${round} (${plan}): ${what}\n${facts}\n${world.logs()}`;
      throw new Error(message, { cause: error });
    }
  }
  const { rssBytesMax } = storm.processes;
  return {
    rounds: reports,
    rssBytesMax,
    writers: audit.epochs.size,
    splitEvents: audit.split,
    tickedFulls: storm.ticks.fulls,
  };
}

/** One to three faults that overlap. */
function planRound(random: Random, world: ChaosWorld): PlannedFault[] {
  const weighted = [...PROCESS_FAULTS, ...SERVER_FAULTS].flatMap(([maker, weight]) =>
    Array.from({ length: weight }, (): FaultMaker => maker),
  );
  return Array.from({ length: random.integer(1, 3) }, () => {
    const atMs = random.integer(0, BEGIN_MS_MAX);
    const holdMs = random.integer(0, HOLD_MS_MAX);
    return { atMs, holdMs, ...random.pick(weighted)(random, world) };
  });
}

function described({ text, atMs, holdMs }: PlannedFault): string {
  return `${text} at ${atMs} ms for ${holdMs} ms`;
}

class Storm {
  readonly processes: ProcessCheck;
  readonly ticks: TickCheck;
  readonly #world: ChaosWorld;
  readonly #audit: StreamAudit;
  readonly #seed: number;
  readonly #compactions: number[] = [];
  #checkedRevision = 0;

  constructor(world: ChaosWorld, audit: StreamAudit, seed: number) {
    this.#world = world;
    this.#audit = audit;
    this.#seed = seed;
    this.processes = new ProcessCheck(world);
    this.ticks = new TickCheck(world);
  }

  async round(round: number, faults: PlannedFault[]): Promise<RoundReport> {
    const begunMs = performance.now();
    const operations = await this.#hit(round, faults);
    const { plan, rows, gaps, settleMs } = await checkWorld({
      world: this.#world,
      audit: this.#audit,
      compactions: this.#compactions,
      after: this.#checkedRevision,
    });
    this.#checkedRevision = plan.revision;
    await this.ticks.check();
    await this.processes.check();
    this.#audit.trust();
    return {
      round,
      faults: faults.map(described),
      operations,
      revision: plan.revision,
      rows,
      gaps,
      settleMs,
      totalMs: Math.round(performance.now() - begunMs),
    };
  }

  async #hit(round: number, faults: PlannedFault[]): Promise<number> {
    const world = this.#world;
    const seed = this.#seed * 100 + round;
    const load = new StormLoad(world, { seed, compact: new Random(seed).fraction() < COMPACTING_ROUNDS });
    const tools = { world, audit: this.#audit, ticks: this.ticks };
    try {
      // A second fault may have taken away what the first one wants to give back: the round's healing does it then.
      await Promise.all([delay(LOAD_MS_MIN), ...faults.map((fault) => happen(fault, tools).catch(() => undefined))]);
      await world.heal();
    } finally {
      await load.stop();
      this.#compactions.push(...load.compactions);
    }
    return load.operations;
  }
}
