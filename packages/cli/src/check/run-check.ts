import { clusterSpecSchema } from '@etcd-ops/bus';
import { EtcdOpsError, isEtcdOpsError, openStore } from '@etcd-ops/core';
import { passwordFileOf } from '../daemon/password-file.ts';
import type { EtcdOptions } from '../options/etcd-options.ts';
import { etcdSpecOf } from '../options/etcd-spec.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { renderTable } from '../output/table.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { CHECK_LEVELS, skip, type CheckFinding, type CheckLevel } from './check-finding.ts';
import { judgeBackups, unknownBackups } from './judge-backups.ts';
import { judgeEtcd } from './judge-etcd.ts';
import { judgeStore } from './judge-store.ts';
import { lookAtBackups, type LookedAtBackups } from './look-backups.ts';
import { lookAtEtcd, type LookedAtEtcd } from './look-etcd.ts';
import { lookAtStore } from './look-store.ts';

export interface CheckOptions extends RepositoryOptions, EtcdOptions, IdentityOptions {
  etcd: boolean;
  probe: boolean;
  maxAge?: number;
  maxDeltaAge?: number;
  maxProofAge?: number;
  strict: boolean;
  output: 'table' | 'json';
}

/**
 * Prints one line for each thing that was looked at.
 * @throws EtcdOpsError with the code of the first failure, or with --strict of the first warning; USAGE, CONFIG_INVALID, CANCELLED.
 */
export async function runCheck(options: CheckOptions): Promise<void> {
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const etcd = options.etcd ? await checkEtcd(options, signal) : undefined;
  const findings = [
    ...(etcd === undefined
      ? [skip({ id: 'etcd', what: 'etcd', why: 'not asked (--no-etcd)' })]
      : judgeEtcd(etcd.facts)),
    ...(await checkStore(options, etcd?.living, signal)),
  ];
  emit(findings, options);
}

async function checkEtcd(options: CheckOptions, signal: AbortSignal): Promise<LookedAtEtcd> {
  await using password = await passwordFileOf(options);
  const base = { version: 1, name: options.clusterName, store: storeSpec(options) };
  const timeouts = { connectMs: options.etcdConnectionTimeout };
  const spec = clusterSpecSchema.parse({ ...base, timeouts, ...etcdSpecOf({ ...options, ...password.options }) });
  return await lookAtEtcd(spec, signal);
}

async function checkStore(
  options: CheckOptions,
  living: LookedAtEtcd['living'],
  signal: AbortSignal,
): Promise<CheckFinding[]> {
  const { clusterName: cluster, probe } = options;
  const spec = storeSpec(options);
  const identities = await identitiesOf(options);
  const store = await openStore(spec);
  try {
    const facts = await lookAtStore(store, { cluster, spec, probe, signal });
    if (facts.list !== true) return [...judgeStore(facts), ...unknownBackups(facts.list)];
    const found = await lookAtBackups(store, { cluster, identities, nowMs: Date.now(), signal }).catch(asFinding);
    const newestFullBytes = isFound(found) ? found.newestFull?.bytes : undefined;
    const limits = {
      maxAgeMs: options.maxAge,
      maxDeltaAgeMs: options.maxDeltaAge,
      maxProofAgeMs: options.maxProofAge,
    };
    return [
      ...judgeStore({ ...facts, newestFullBytes }),
      ...(isFound(found) ? judgeBackups({ ...found.facts, living }, limits) : unknownBackups(found)),
    ];
  } finally {
    await store.close?.();
  }
}

function isFound(found: LookedAtBackups | EtcdOpsError): found is LookedAtBackups {
  return !(found instanceof EtcdOpsError);
}

function asFinding(error: unknown): EtcdOpsError {
  if (isEtcdOpsError(error) && error.code !== 'CANCELLED') return error;
  throw error;
}

function emit(findings: readonly CheckFinding[], { output, strict, clusterName }: CheckOptions): void {
  const counts = Object.fromEntries(
    CHECK_LEVELS.map((level) => [level, findings.filter((finding) => finding.level === level).length]),
  ) as Record<CheckLevel, number>;
  if (output === 'json') emitJson({ cluster: clusterName, counts, findings });
  else emitText(render(findings));
  const bad = findings.filter(({ level }) => level === 'fail' || (strict && level === 'warn'));
  const first = bad.find(({ level }) => level === 'fail') ?? bad[0];
  if (first === undefined) return;
  const more = bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`;
  throw new EtcdOpsError(first.code ?? 'ETCD_FAILED', {
    message: `The check of ${clusterName} failed: ${first.what}: ${first.why}${more}`,
    remedy: first.remedy ?? 'Each line above says what to do.',
  });
}

export function render(findings: readonly CheckFinding[]): string {
  const rows = findings.map(({ level, what, why, remedy }) => [
    level.toUpperCase(),
    what,
    remedy === undefined ? why : `${why}. ${remedy}`,
  ]);
  return renderTable(['', 'what', 'found'], rows);
}
