import { progressSchema, progressSubject, type Bus } from '@etcd-ops/bus';
import type { ProgressLine } from '../output/progress-line.ts';

/**
 * Shows how far the full of a cluster is, as its worker tells on the bus, until the scope ends. What is lost on the way, or cannot be read,
 * is only not shown.
 */
export function followProgress(bus: Bus, cluster: string, line: ProgressLine): Disposable {
  const subject = progressSubject('full', cluster, 'any').replace(/[^.]+$/, '*');
  const subscription = bus.nc.subscribe(subject, {
    callback: (error, message) => {
      if (error !== null) return;
      const progress = parsed(message.string());
      if (progress !== undefined) line.update(progress.phase, progress.bytesDone, progress.bytesTotal ?? 0);
    },
  });
  return {
    [Symbol.dispose]() {
      subscription.unsubscribe();
      line.clear();
    },
  };
}

function parsed(text: string) {
  try {
    return progressSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
