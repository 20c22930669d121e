import { setTimeout as delay } from 'node:timers/promises';
import { sum } from './process-facts.ts';
import type { NatsReport } from './nats.ts';
import type { S3Report } from './s3.ts';
import type { ServiceReading } from './service-group.ts';
import type { StandInReport } from './stand-in.ts';
import type { ScaleStage } from './stage.ts';

/** All that can be read at one moment. */
interface Sample {
  atMs: number;
  services: ServiceReading[];
  nats: NatsReport;
  s3: S3Report;
  standIn: StandInReport;
  /** Of the processes that stand in for the etcds and for the store: what they take, the services do not get. */
  standInCpuSeconds: number;
  s3CpuSeconds: number;
}

/** What happened between two moments. */
export interface Window {
  seconds: number;
  from: Sample;
  to: Sample;
}

export async function sample({ services, nats, s3, standIn }: ScaleStage): Promise<Sample> {
  return {
    atMs: performance.now(),
    services: services.readings(),
    nats: await nats.report(),
    s3: await s3.ask({}),
    standIn: await standIn.ask({}),
    standInCpuSeconds: standIn.cpuSeconds,
    s3CpuSeconds: s3.cpuSeconds,
  };
}

export async function measureFor(stage: ScaleStage, seconds: number): Promise<Window> {
  stage.services.forgetPeaks();
  const from = await sample(stage);
  await delay(seconds * 1_000, undefined, { signal: stage.signal });
  const to = await sample(stage);
  return { seconds: (to.atMs - from.atMs) / 1_000, from, to };
}

/** A line or some for people, without numbers that nobody asked for. */
export function describeWindow({ seconds, from, to }: Window, clusters: number): string[] {
  const lines: string[] = [];
  const cpu = (reading: ServiceReading): number => {
    const before = from.services.find(({ pid }) => pid === reading.pid);
    return before === undefined ? 0 : (reading.cpuSeconds - before.cpuSeconds) / seconds;
  };
  for (const reading of to.services) {
    lines.push(
      `  ${reading.name.padEnd(18)} cpu ${cores(cpu(reading))} | rss ${mb(reading.rssMb)} | pss ${mb(reading.pssMb)} | peak ${mb(reading.peakMb)}`,
    );
  }
  const { services } = to;
  lines.push(
    `  ${'all services'.padEnd(18)} cpu ${cores(sum(services.map(cpu)))} | rss ${mb(sum(services.map(({ rssMb }) => rssMb)))}` +
      ` | pss ${mb(sum(services.map(({ pssMb }) => pssMb)))} | peak ${mb(sum(services.map(({ peakMb }) => peakMb)))}`,
    `  ${'nats-server'.padEnd(18)} cpu ${cores((to.nats.cpuSeconds - from.nats.cpuSeconds) / seconds)} | rss ${mb(to.nats.rssMb)}` +
      ` | ${to.nats.streams} streams, ${to.nats.consumers} consumers, ${to.nats.openFiles} open files, ${mb(to.nats.storedBytes / 2 ** 20)} stored`,
  );
  const beside = (field: 'standInCpuSeconds' | 's3CpuSeconds'): string => cores((to[field] - from[field]) / seconds);
  lines.push(
    `  beside them: the stand-in for etcd ${beside('standInCpuSeconds')}, the store ${beside('s3CpuSeconds')}`,
  );
  const rate = (field: 'messagesIn' | 'messagesOut' | 'apiCalls' | 'bytesIn' | 'bytesOut'): string =>
    ((to.nats[field] - from.nats[field]) / seconds).toFixed(0);
  lines.push(
    `  NATS: ${rate('messagesIn')} messages/s in, ${rate('messagesOut')} out, ${rate('apiCalls')} JetStream API calls/s,` +
      ` ${rate('bytesIn')} bytes/s in, ${rate('bytesOut')} out`,
    `  etcd calls per cluster and minute: ${perCluster(from.standIn.calls, to.standIn.calls, seconds, clusters)}; connections ${to.standIn.connections}`,
    `  store requests per cluster and minute: ${perCluster(from.s3.requests, to.s3.requests, seconds, clusters)}; objects ${to.s3.objects}`,
  );
  return lines;
}

function perCluster(
  from: Record<string, number>,
  to: Record<string, number>,
  seconds: number,
  clusters: number,
): string {
  const rates = Object.entries(to)
    .map(([name, count]) => ({ name, count: count - (from[name] ?? 0) }))
    .filter(({ count }) => count > 0)
    .toSorted((left, right) => right.count - left.count)
    .map(({ name, count }) => `${name} ${((count * 60) / seconds / clusters).toFixed(3)}`);
  return rates.length === 0 ? 'none' : rates.join(', ');
}

function cores(share: number): string {
  return `${share.toFixed(3)} cores`;
}

export function mb(value: number): string {
  return `${value.toFixed(0).padStart(4)} MB`;
}
