import { ByteSlice, RevisionDigest, RowBlock, encodeRevisionKey } from '@etcd-ops/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameGatherer, type Frame } from './frame-gatherer.ts';
import { RevisionAssembler } from './revision-assembler.ts';

interface Event {
  main: number;
  tombstone: boolean;
  value: Buffer;
}

/** Events of contiguous revisions from `first` on, as one watch delivers them. */
function history(first: number) {
  const event = fc.record({ tombstone: fc.boolean(), value: fc.uint8Array({ maxLength: 40 }) });
  return fc
    .array(fc.array(event, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 40 })
    .map((revisions) =>
      revisions.flatMap((events, index) =>
        events.map((one): Event => ({ main: first + index, tombstone: one.tombstone, value: Buffer.from(one.value) })),
      ),
    );
}

function gather(after: number, frameBytesTarget = 200) {
  const frames: Frame[] = [];
  const gatherer = new FrameGatherer({
    frameBytesTarget,
    gatheredBytesMax: 1 << 20,
    now: () => 7,
    onPressure: () => undefined,
  });
  const assembler = new RevisionAssembler(after, gatherer);
  const drain = () => {
    for (let frame = gatherer.take(); frame !== undefined; frame = gatherer.take()) frames.push(frame);
  };
  return { frames, gatherer, assembler, drain };
}

/** The rows that the database file holds for these events: subs count from 0 in each revision. */
function expectedRows(events: readonly Event[]): string[] {
  let main = 0;
  let sub = 0;
  return events.map((event) => {
    sub = event.main === main ? sub + 1 : 0;
    main = event.main;
    return `${encodeRevisionKey(main, sub, event.tombstone).toString('hex')} ${event.value.toString('hex')}`;
  });
}

function rowsOf(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => {
    const block = RowBlock.parse(frame.rowBlock);
    return Array.from(
      { length: block.rowCount },
      (_, row) => `${block.key(row).toString('hex')} ${block.value(row).toString('hex')}`,
    );
  });
}

describe('RevisionAssembler', () => {
  it('makes the same rows however responses are fragmented, cut and repeated', () => {
    const plan = fc.record({
      events: history(5),
      // Where responses end, whether etcd promises more, whether the watch is cut there and resumed, what it repeats.
      cuts: fc.array(
        fc.record({ after: fc.nat({ max: 30 }), kind: fc.constantFrom('fragment', 'cut', 'drain', 'repeat') }),
        { maxLength: 30 },
      ),
    });
    fc.assert(
      fc.property(plan, ({ events, cuts }) => {
        let world = gather(4);
        const frames: Frame[] = [];
        let position = 0;
        const end = () => {
          const borderNext =
            position >= events.length || position === 0 || events[position]!.main !== events[position - 1]!.main;
          world.assembler.endBatch(borderNext);
          world.gatherer.endBatch();
        };
        for (const { after, kind } of cuts) {
          for (const stop = Math.min(position + after, events.length); position < stop; position++) {
            const event = events[position]!;
            world.assembler.row(event.main, event.tombstone, ByteSlice.of(event.value));
          }
          if (kind === 'fragment') world.assembler.endBatch(false);
          else end();
          if (kind === 'drain') world.drain();
          if (kind === 'repeat') {
            const past = events.find((event) => event.main <= world.assembler.lastCompleted);
            if (past !== undefined) world.assembler.row(past.main, past.tombstone, ByteSlice.of(past.value));
          }
          if (kind === 'cut') {
            world.assembler.cut();
            world.drain();
            frames.push(...world.frames);
            const resumeAfter = world.assembler.lastCompleted;
            world = gather(resumeAfter);
            position = events.findIndex((event) => event.main > resumeAfter);
            if (position < 0) position = events.length;
          }
        }
        for (; position < events.length; position++) {
          world.assembler.row(
            events[position]!.main,
            events[position]!.tombstone,
            ByteSlice.of(events[position]!.value),
          );
        }
        end();
        world.drain();
        frames.push(...world.frames);

        expect(rowsOf(frames)).toEqual(expectedRows(events));
        expect(world.assembler.hole).toBeUndefined();
        for (const [index, frame] of frames.entries()) {
          expect(frame.first).toBe(index === 0 ? 5 : frames[index - 1]!.last + 1);
        }
      }),
    );
  });

  it('digests the last revision of each frame as the core does', () => {
    const { assembler, gatherer, frames, drain } = gather(0, 1 << 20);
    assembler.row(1, false, ByteSlice.of(Buffer.from('a')));
    assembler.row(2, false, ByteSlice.of(Buffer.from('b')));
    assembler.row(2, true, ByteSlice.of(Buffer.from('c')));
    assembler.endBatch(true);
    gatherer.endBatch();
    drain();
    const digest = new RevisionDigest();
    digest.update(encodeRevisionKey(2, 0), Buffer.from('b'));
    digest.update(encodeRevisionKey(2, 1, true), Buffer.from('c'));
    expect(frames).toMatchObject([
      { first: 1, last: 2, rowCount: 3, observedMs: 7, digestRows: 2, digest: digest.hex() },
    ]);
  });

  it('never lets a part of a revision through', () => {
    const { assembler, gatherer } = gather(0);
    assembler.row(1, false, ByteSlice.of(Buffer.from('a')));
    assembler.endBatch(false);
    gatherer.endBatch();
    expect(gatherer.take()).toBeUndefined();
    assembler.cut();
    expect(assembler.lastCompleted).toBe(0);
    expect(gatherer.take()).toBeUndefined();
  });

  it('drops and counts what was captured before, and a repeat does not end the open revision', () => {
    const { assembler, gatherer, frames, drain } = gather(6);
    assembler.row(6, false, ByteSlice.of(Buffer.from('old')));
    assembler.row(7, false, ByteSlice.of(Buffer.from('a')));
    assembler.row(6, false, ByteSlice.of(Buffer.from('old')));
    assembler.row(7, false, ByteSlice.of(Buffer.from('b')));
    assembler.endBatch(true);
    gatherer.endBatch();
    drain();
    expect(assembler.droppedCount).toBe(2);
    expect(frames).toMatchObject([{ first: 7, last: 7, rowCount: 2 }]);
  });

  it('stops at a hole and keeps what came before it', () => {
    const { assembler, gatherer, frames, drain } = gather(6);
    assembler.row(7, false, ByteSlice.of(Buffer.from('a')));
    assembler.row(9, false, ByteSlice.of(Buffer.from('b')));
    assembler.row(10, false, ByteSlice.of(Buffer.from('c')));
    assembler.endBatch(true);
    gatherer.endBatch();
    drain();
    expect(assembler.hole).toEqual({ expected: 8, found: 9 });
    expect(frames).toMatchObject([{ first: 7, last: 7 }]);
  });
});

describe('FrameGatherer', () => {
  it('pauses the watch above its limit and resumes it below half of it', () => {
    const pressure: boolean[] = [];
    const gatherer = new FrameGatherer({
      frameBytesTarget: 100,
      gatheredBytesMax: 1_000,
      now: () => 0,
      onPressure: (pause) => pressure.push(pause),
    });
    for (let main = 1; main <= 12; main++) {
      gatherer.row(main, 0, false, ByteSlice.of(Buffer.alloc(100)));
      gatherer.completed(main);
      gatherer.endBatch();
    }
    expect(pressure).toEqual([true]);
    while (gatherer.gatheredBytes >= 500) gatherer.take();
    expect(pressure).toEqual([true, false]);
  });

  it('never pauses for a part of a revision, whose rest could then not come', () => {
    const pressure: boolean[] = [];
    const gatherer = new FrameGatherer({
      frameBytesTarget: 100,
      gatheredBytesMax: 1_000,
      now: () => 0,
      onPressure: (pause) => pressure.push(pause),
    });
    gatherer.row(1, 0, false, ByteSlice.of(Buffer.alloc(600)));
    gatherer.completed(1);
    gatherer.row(2, 0, false, ByteSlice.of(Buffer.alloc(5_000)));
    gatherer.endBatch();
    expect(pressure).toEqual([true]);
    gatherer.take();
    expect(pressure).toEqual([true, false]);
    gatherer.row(2, 1, false, ByteSlice.of(Buffer.alloc(5_000)));
    gatherer.endBatch();
    expect(pressure).toEqual([true, false]);
    gatherer.completed(2);
    gatherer.endBatch();
    expect(gatherer.take()).toMatchObject({ first: 2, last: 2, rowCount: 2 });
  });

  it('wakes the waiter when a frame is whole', async () => {
    const gatherer = new FrameGatherer({
      frameBytesTarget: 100,
      gatheredBytesMax: 1_000,
      now: () => 3,
      onPressure: () => undefined,
    });
    const waiting = gatherer.wait();
    gatherer.row(1, 0, false, ByteSlice.of(Buffer.from('x')));
    gatherer.completed(1);
    gatherer.endBatch();
    await waiting;
    expect(gatherer.oldestObservedMs).toBe(3);
    expect(gatherer.take()).toMatchObject({ first: 1, last: 1 });
    expect(gatherer.oldestObservedMs).toBeUndefined();
  });

  it('keeps whole revisions when the unfinished one is taken back', () => {
    const gatherer = new FrameGatherer({
      frameBytesTarget: 10_000,
      gatheredBytesMax: 1_000_000,
      now: () => 0,
      onPressure: () => undefined,
    });
    gatherer.row(1, 0, false, ByteSlice.of(Buffer.from('whole')));
    gatherer.completed(1);
    gatherer.row(2, 0, false, ByteSlice.of(Buffer.from('part')));
    expect(gatherer.take()).toBeUndefined();
    gatherer.abandon();
    const frame = gatherer.take()!;
    expect(frame).toMatchObject({ first: 1, last: 1, rowCount: 1, digestRows: 1 });
    expect(rowsOf([frame])[0]).toContain(Buffer.from('whole').toString('hex'));
  });
});
