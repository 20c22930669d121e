import { ByteReader } from './wire/byte-reader.ts';
import { emptyFacts, readFact, RESPONSE_EVENT, WatchScanner, type WatchResponseFacts } from './wire/watch-scanner.ts';

/** What a WatchResponse says without its rows: enough to know whose it is and how far it leads. */
export interface WatchPeek extends WatchResponseFacts {
  /** The main revision of its last event; 0 when it has none. */
  lastMain: number;
}

/**
 * Passes over the events of a WatchResponse by their lengths; only the last one is looked into.
 * @throws EtcdOpsError ETCD_FAILED when the bytes are malformed.
 */
export function peekWatchResponse(message: Buffer): WatchPeek {
  const facts = emptyFacts();
  const reader = new ByteReader(message);
  let lastStart = 0;
  let lastEnd = 0;
  while (!reader.done) {
    const start = reader.position;
    const tag = reader.tag();
    if (tag === RESPONSE_EVENT) {
      reader.skipBytesField();
      facts.eventCount++;
      lastStart = start;
      lastEnd = reader.position;
    } else {
      readFact(facts, reader, tag);
    }
  }
  let lastMain = 0;
  if (lastEnd > 0) {
    // One field is a message of its own.
    new WatchScanner({
      row: (main) => {
        lastMain = main;
      },
    }).scan(message.subarray(lastStart, lastEnd));
  }
  return { ...facts, lastMain };
}
