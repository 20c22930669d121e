/** The stand-in for many etcds in a process of its own, so that what it takes is not counted among the services. */
import { EtcdStandIn } from '@etcd-ops/test-kit';
import type { StandInQuestion, StandInReport } from './stand-in.ts';

const TICK_MS = 50;

const clusters = Number(process.argv[2]);
const standIn = await EtcdStandIn.start({ clusters });
let writesPerSecond = 0;
let owed = 0;
let next = 0;

setInterval(() => {
  owed += (writesPerSecond * TICK_MS) / 1_000;
  for (; owed >= 1; owed--) standIn.clusters[next++ % clusters]!.put();
}, TICK_MS);

process.on('message', (question: StandInQuestion) => {
  if (question.writesPerSecond !== undefined) writesPerSecond = question.writesPerSecond;
  const report: StandInReport = {
    endpoints: question.endpoints === true ? standIn.clusters.map((_, index) => standIn.endpoint(index)) : [],
    revisions: standIn.clusters.map(({ revision }) => revision),
    watched: standIn.clusters.filter(({ watches }) => watches > 0).length,
    watchedTwice: standIn.clusters.filter(({ watches }) => watches > 1).length,
    calls: Object.fromEntries(standIn.calls),
    callsMax: standIn.callsMax,
    connections: standIn.connections,
  };
  process.send?.(report);
});
process.on('disconnect', () => void standIn[Symbol.asyncDispose]().finally(() => process.exit(0)));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.send?.('ready');
