/**
 * What bursts and outages do to the memory of watcher and uploader, each a process of its own:
 *
 *     node bench/src/capture-flow.ts [short]
 */
import { streamFacts } from '@etcd-ops/bus';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLUSTER, CaptureStage, load, type ServiceProcess } from './capture-stage.ts';

const short = process.argv[2] === 'short';

async function report(
  what: string,
  watcher: ServiceProcess,
  uploader: ServiceProcess,
  stage: CaptureStage,
): Promise<void> {
  const mb = async (service: ServiceProcess, name: string): Promise<number> =>
    Math.round((await service.metric(name)) / 2 ** 20);
  const heaps = async (service: ServiceProcess): Promise<string> =>
    `heap ${await mb(service, 'nodejs_heap_size_total_bytes')}, external ${await mb(service, 'nodejs_external_memory_bytes')}`;
  const { bytes } = await streamFacts(stage.bus, CLUSTER);
  console.log(
    `${what}: watcher RSS ${watcher.rssMb} MB, peak ${watcher.peakMb} MB (${await heaps(watcher)}); ` +
      `uploader RSS ${uploader.rssMb} MB, peak ${uploader.peakMb} MB (${await heaps(uploader)}); ` +
      `lag ${await watcher.metric('watcher_lag_revisions')} revisions, ${await watcher.metric('watcher_lag_seconds')} s; ` +
      `stream ${Math.round(bytes / 2 ** 20)} MB`,
  );
}

async function main(): Promise<void> {
  await using stage = await CaptureStage.open({ flags: ['--max-txn-ops=10000'], eventBytesMax: 256 * 2 ** 20 });
  const { endpoints } = stage.etcd;
  await using watcher = await stage.spawn('watcher');
  await using uploader = await stage.spawn('uploader');
  let head = 1;
  const drained = async (revisions: number): Promise<void> => {
    head += revisions;
    await stage.captured(head);
  };
  await report('at rest', watcher, uploader, stage);
  const cutting = setInterval(() => void stage.cut(), 1_000);
  for (let round = 0; round < 2; round++) {
    const burst = await load(endpoints, { count: 20_000, valueBytes: 5_000, writers: 128 });
    await report(`20,000 x 5 KB in ${burst.seconds.toFixed(1)} s`, watcher, uploader, stage);
    await drained(20_000);
    await load(endpoints, { count: 3, opsPerTxn: 10_000, valueBytes: 100, writers: 1 });
    await drained(3);
    await report('3 revisions of 10,000 operations', watcher, uploader, stage);
    const many = await load(endpoints, { count: 1_000, valueBytes: 100_000, writers: 64 });
    await report(`1,000 x 100 KB in ${many.seconds.toFixed(1)} s`, watcher, uploader, stage);
    await drained(1_000);
    const count = short ? 100 : 1_000;
    const big = await load(endpoints, { count, valueBytes: 1_400_000, writers: 16 });
    await report(`${count} x 1.4 MB in ${big.seconds.toFixed(1)} s`, watcher, uploader, stage);
    await drained(count);
    await sleep(2_000);
    await report('drained', watcher, uploader, stage);
  }
  clearInterval(cutting);
}

await main();
