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
  /** Told of every stretch that did not count, before the next event; `isAlarming` says whether anybody has to know. */
  onSkipped?: (skipped: Skipped) => void;
  signal?: AbortSignal;
}

/** The events of a cluster between two sequences, by the reader's rule (accept-event.ts). */
export async function* readEvents(bus: Bus, cluster: string, options: ReadEventsOptions): AsyncGenerator<EventRead> {
  const assembler = new EventAssembler(options.expected);
  let stretch: Skipped | undefined;
  const tell = (next?: Skipped): void => {
    if (stretch !== undefined) options.onSkipped?.(stretch);
    stretch = next;
  };
  for await (const stored of storedMessages(bus, cluster, options)) {
    const { event, skipped } = 'sequence' in stored ? assembler.push(stored) : { event: undefined, skipped: [stored] };
    for (const one of skipped) {
      if (stretch !== undefined && isNextOf(stretch, one)) stretch = { ...stretch, lastSequence: one.lastSequence };
      else tell(one);
    }
    if (event === undefined) continue;
    tell();
    yield event;
  }
  tell();
}

/** Thousands of messages behind one hole are one thing to tell. */
function isNextOf(stretch: Skipped, next: Skipped): boolean {
  return stretch.reason === next.reason && stretch.lastSequence + 1 === next.firstSequence;
}

/** A repeated or unfinished message is what crashes leave behind; the rest means a foreign writer or damage. */
export function isAlarming(skipped: Skipped): boolean {
  return skipped.reason !== 'overlap' && skipped.reason !== 'incomplete';
}
