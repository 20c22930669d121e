import { readFileSync } from 'node:fs';
import fsp, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { ProcessFaults } from './process-faults.ts';

/**
 * Loaded into a service under test by `node --import`: gives it a wall clock that steps, a disk that is full and a disk that is slow,
 * as the control file says, which is read again and again. Nothing of the service knows.
 */
const path = process.env['ETCD_OPS_TEST_FAULTS'];
const REREAD_MS = 50;
let faults: ProcessFaults = { clockOffsetMs: 0, diskFull: [], diskDelayMs: 0 };

function reread(): void {
  try {
    faults = JSON.parse(readFileSync(path!, 'utf8')) as ProcessFaults;
  } catch {
    // Not written yet.
  }
}

function stepClock(): void {
  const RealDate = Date;
  const realNow = Date.now.bind(Date);
  const now = (): number => realNow() + faults.clockOffsetMs;
  RealDate.now = now;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
    apply: () => new RealDate(now()).toString(),
  });
}

const handlePaths = new WeakMap<FileHandle, string>();

async function beforeWrite(target: string | undefined): Promise<void> {
  if (faults.diskDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.diskDelayMs));
  if (target === undefined || !faults.diskFull.some((directory) => target.startsWith(directory))) return;
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    errno: -28,
    syscall: 'write',
  });
}

type Call = (...args: unknown[]) => Promise<unknown>;

function patchHandles(prototype: Record<string, Call>): void {
  for (const name of ['write', 'writev', 'writeFile', 'appendFile']) {
    const real = prototype[name]!;
    prototype[name] = async function (this: FileHandle, ...args: unknown[]) {
      await beforeWrite(handlePaths.get(this));
      return await real.apply(this, args);
    };
  }
}

async function patchDisk(): Promise<void> {
  const realOpen = fsp.open;
  const probe = await realOpen(import.meta.filename, 'r');
  patchHandles(Object.getPrototypeOf(probe) as Record<string, Call>);
  await probe.close();
  fsp.open = async (target, flags, mode) => {
    const handle = await realOpen(target, flags, mode);
    handlePaths.set(handle, String(target));
    return handle;
  };
  const calls = fsp as unknown as Record<string, Call>;
  for (const [name, index] of [
    ['writeFile', 0],
    ['copyFile', 1],
    ['mkdir', 0],
  ] as const) {
    const real = calls[name]!;
    calls[name] = async (...args: unknown[]) => {
      await beforeWrite(typeof args[index] === 'string' ? args[index] : undefined);
      return await real(...args);
    };
  }
  syncBuiltinESMExports();
}

if (path !== undefined) {
  reread();
  setInterval(reread, REREAD_MS).unref();
  stepClock();
  await patchDisk();
}
