import type { Bus } from '../connection.ts';
import type { Expectation } from './accept-event.ts';
import { EventAssembler, type EventRead } from './event-assembler.ts';
import type { Skipped } from './part-joiner.ts';
import { storedMessages } from './stored-range.ts';

export interface ReadEventsOptions {
  /** Stream sequences, both inclusive. Parts of a message MUST not be cut by them. */
  from: number;
  to: number;
  /** What is known already. Without it the first message that can be read is believed. */
  expected?: Expectation;
  /** Told of everything that did not count; `isAlarming` says whether anybody has to know. */
  onSkipped?: (skipped: Skipped) => void;
  signal?: AbortSignal;
}

/** The events of a cluster between two sequences, by the reader's rule (accept-event.ts). */
export async function* readEvents(bus: Bus, cluster: string, options: ReadEventsOptions): AsyncGenerator<EventRead> {
  const assembler = new EventAssembler(options.expected);
  for await (const stored of storedMessages(bus, cluster, options)) {
    const { event, skipped } = 'sequence' in stored ? assembler.push(stored) : { event: undefined, skipped: [stored] };
    for (const one of skipped) options.onSkipped?.(one);
    if (event !== undefined) yield event;
  }
}

/** A repeated or unfinished message is what crashes leave behind; the rest means a foreign writer or damage. */
export function isAlarming(skipped: Skipped): boolean {
  return skipped.reason !== 'overlap' && skipped.reason !== 'incomplete';
}
