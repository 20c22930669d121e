import { CAPTURE_EVENTS } from './capture-events.ts';
import { CARE_EVENTS } from './care-events.ts';
import type { LogEvents } from './log-event.ts';
import { PROCESS_EVENTS } from './process-events.ts';
import { STORE_EVENTS } from './store-events.ts';
import { TASK_EVENTS } from './task-events.ts';

/** All that services log, by who does; docs/LOGS.md is made of it. */
export const LOG_EVENTS: Readonly<Record<string, LogEvents>> = {
  'Every process': PROCESS_EVENTS,
  'Tasks, schedules and notifications': TASK_EVENTS,
  Watcher: CAPTURE_EVENTS,
  Uploader: STORE_EVENTS,
  'Garbage collector, maintainer, restorer': CARE_EVENTS,
};

const NAMES = new Map(
  Object.values(LOG_EVENTS).flatMap((events) => Object.entries(events).map(([name, [, sentence]]) => [sentence, name])),
);

/** The name of what a sentence tells. */
export function eventOf(sentence: unknown): string | undefined {
  return typeof sentence === 'string' ? NAMES.get(sentence) : undefined;
}
