import type { ErrorCodeFacts } from './error-code-facts.ts';
import { STORE_ERROR_CODES } from './store-error-codes.ts';

/**
 * The registry of failures: each code with the reason for it and what its reader should do.
 * Exit codes: 1 unexpected, 2 usage, 3 nothing to do, 4 damaged data, 5 not restorable, 6 no backup,
 * 7 target occupied, 8 etcd, 9 store, 10 bus, 11 proof failed, 12 environment, 13 no key.
 */
export const ERROR_CODES = {
  USAGE: {
    exit: 2,
    cause: 'The command line or configuration is wrong.',
    remedy: 'Correct the option named; --help lists them all.',
    retriable: false,
  },
  CONFIG_INVALID: {
    exit: 2,
    cause: 'A configuration value is missing, unknown or out of range.',
    remedy: 'Correct the setting named.',
    retriable: false,
  },
  NOTHING_TO_DO: { exit: 3, cause: 'There was nothing to do.', remedy: 'No action is needed.', retriable: false },

  BOLT_DAMAGED: {
    exit: 4,
    cause: 'A database file breaks a rule of the bbolt format.',
    remedy: 'Use another full snapshot; `list` shows them.',
    retriable: false,
  },
  MVCC_DAMAGED: {
    exit: 4,
    cause: 'A database file is sound bbolt but not a sound etcd store.',
    remedy: 'Use another full snapshot; `list` shows them.',
    retriable: false,
  },
  SNAPSHOT_HASH_MISMATCH: {
    exit: 4,
    cause: 'The SHA-256 that etcd appended to a snapshot does not fit its bytes.',
    remedy: 'Take the snapshot again, or restore from another one.',
    retriable: false,
  },
  DELTA_DAMAGED: {
    exit: 4,
    cause: 'A delta snapshot breaks its format or fails a checksum.',
    remedy: 'Restore to a revision before it, or take another full so that a new chain begins.',
    retriable: false,
  },
  MANIFEST_DAMAGED: {
    exit: 4,
    cause: 'A manifest is not what was written.',
    remedy: 'Use another full snapshot; `list` shows them.',
    retriable: false,
  },
  OBJECT_DAMAGED: {
    exit: 4,
    cause: 'A stored object does not have the size or SHA-256 that its manifest records.',
    remedy: 'Use another full snapshot; check the store.',
    retriable: false,
  },
  ROW_BLOCK_DAMAGED: {
    exit: 4,
    cause: 'A block of rows breaks its format.',
    remedy: 'Treat the object or message that holds it as damaged.',
    retriable: false,
  },
  WAL_DAMAGED: {
    exit: 4,
    cause: 'A write-ahead log breaks its format or fails its CRC.',
    remedy: 'Do not start etcd on it; restore the member.',
    retriable: false,
  },
  RAFT_SNAPSHOT_DAMAGED: {
    exit: 4,
    cause: 'A raft snapshot file fails its CRC or format.',
    remedy: 'Do not start etcd on it; restore the member.',
    retriable: false,
  },

  REVISION_NOT_RESTORABLE: {
    exit: 5,
    cause: 'No chain of snapshots covers that revision.',
    remedy: '`list` shows the restorable ranges.',
    retriable: false,
  },
  TIME_NOT_RESTORABLE: {
    exit: 5,
    cause: 'No restorable revision is known to be older than that time.',
    remedy: '`list` shows the restorable times.',
    retriable: false,
  },
  NEWEST_NOT_RESTORABLE: {
    exit: 5,
    cause: 'More was captured than can be restored: objects in between are missing or damaged.',
    remedy: 'Bring them back, or take less on purpose: --revision, or --allow-older.',
    retriable: false,
  },
  NO_BACKUP: {
    exit: 6,
    cause: 'The repository holds no complete full snapshot.',
    remedy: 'Check the bucket and the cluster name; start `etcd-ops snapshot` if it never ran.',
    retriable: false,
  },
  BACKUP_STALE: {
    exit: 6,
    cause: 'The newest backup, or the newest proof of one, is older than it may be.',
    remedy: 'Look at `etcd-ops status`; start `etcd-ops snapshot` if it does not run.',
    retriable: false,
  },
  TARGET_OCCUPIED: {
    exit: 7,
    cause: 'The target directory already holds data.',
    remedy: 'Choose another directory, or move the old one away; etcd-ops never overwrites data.',
    retriable: false,
  },
  TARGET_REFUSED: {
    exit: 7,
    cause: 'The target directory is outside the roots that this restorer may write to.',
    remedy: 'Ask for a directory below a configured restore root.',
    retriable: false,
  },
  DATA_DIR_FOREIGN: {
    exit: 7,
    cause: 'The directory is not the data of this cluster.',
    remedy: 'Check --data-dir, --bucket and --cluster-name; nothing was touched.',
    retriable: false,
  },
  DATA_DIR_IN_USE: {
    exit: 7,
    cause: 'An etcd runs on the data directory.',
    remedy: 'Stop that etcd first; nothing was touched.',
    retriable: true,
  },
  DATA_DIR_BROKEN: {
    exit: 4,
    cause: 'etcd would not start from the data directory, or would start with less than it had.',
    remedy: 'Restore it: `etcd-ops ensure --yes` moves it aside first.',
    retriable: false,
  },

  ETCD_UNREACHABLE: {
    exit: 8,
    cause: 'No connection to etcd could be made.',
    remedy: 'Check the endpoints, the network and whether etcd runs.',
    retriable: true,
  },
  ETCD_TLS: {
    exit: 8,
    cause: 'The TLS handshake with etcd failed.',
    remedy: 'Check CA, certificate, key and the host names in the certificate.',
    retriable: false,
  },
  ETCD_AUTH: {
    exit: 8,
    cause: 'etcd refused the credentials or their rights.',
    remedy: 'Snapshots need a user with the role root; capture needs read on the whole key space.',
    retriable: false,
  },
  ETCD_COMPACTED: {
    exit: 8,
    cause: 'etcd has compacted the revision that was asked for.',
    remedy: 'A new full snapshot becomes the base; nothing to do by hand.',
    retriable: false,
  },
  ETCD_NO_LEADER: {
    exit: 8,
    cause: 'The cluster has no leader.',
    remedy: 'Restore the quorum; capture goes on by itself afterwards.',
    retriable: true,
  },
  ETCD_WRONG_CLUSTER: {
    exit: 8,
    cause: 'An endpoint belongs to another cluster.',
    remedy: 'List only endpoints of one cluster.',
    retriable: false,
  },
  ETCD_TIMEOUT: {
    exit: 8,
    cause: 'etcd did not answer in time.',
    remedy: 'Check the load of etcd and the timeout given.',
    retriable: true,
  },
  ETCD_FAILED: { exit: 8, cause: 'etcd answered with an error.', remedy: 'See the message of etcd.', retriable: true },
  SNAPSHOT_INCOMPLETE: {
    exit: 8,
    cause: 'The snapshot stream ended before its trailing hash.',
    remedy: 'It is tried again; nothing was stored.',
    retriable: true,
  },
  DEFRAG_REFUSED: {
    exit: 8,
    cause: 'The cluster is not in a state in which a member may be taken out to be defragmented.',
    remedy: 'Bring every member into health; see the reasons named.',
    retriable: true,
  },
  CLUSTER_FORKED: {
    exit: 8,
    cause: 'The cluster does not go on from the rows that were captured.',
    remedy: 'A new timeline begins by itself; earlier timelines stay restorable.',
    retriable: false,
  },

  ...STORE_ERROR_CODES,
  LIMIT_EXCEEDED: {
    exit: 9,
    cause: 'Something is larger than the limit that protects memory.',
    remedy: 'Raise the limit named if the size is right.',
    retriable: false,
  },

  CLUSTER_SPEC_CHANGED: {
    exit: 10,
    cause: 'Somebody else changed the configuration of the cluster meanwhile.',
    remedy: 'Look at it with `etcd-ops cluster show`, and edit it again.',
    retriable: false,
  },
  REQUEST_EXPIRED: {
    exit: 10,
    cause: 'Nobody began what was asked for before its deadline.',
    remedy: 'Start a restorer of that pool (ETCD_OPS_RESTORE_POOL), then ask again.',
    retriable: false,
  },
  BUS_UNREACHABLE: {
    exit: 10,
    cause: 'NATS could not be reached.',
    remedy: 'Check the URL, the credentials and whether nats-server runs.',
    retriable: true,
  },
  BUS_FENCED: {
    exit: 10,
    cause: 'Another writer wrote to the event stream of this cluster.',
    remedy: 'The writer opens again by itself; check that one owner is configured if it recurs.',
    retriable: true,
  },
  BUS_MESSAGE_INVALID: {
    exit: 10,
    cause: 'A message does not follow its schema.',
    remedy: 'Check that all services run compatible versions.',
    retriable: false,
  },
  BUS_VERSION_UNKNOWN: {
    exit: 10,
    cause: 'A newer version of etcd-ops wrote what lies on the bus.',
    remedy: 'Update this service or command, too; until then it leaves that alone, and goes on with everything else.',
    // Meanwhile a newer service may do it.
    retriable: true,
  },
  BUS_FAILED: {
    exit: 10,
    cause: 'JetStream refused or failed.',
    remedy: 'See the message of the server.',
    retriable: true,
  },

  PROOF_FAILED: {
    exit: 11,
    cause: 'Two things that must be equal are not.',
    remedy: 'Do not rely on the object named; take a full and check the cluster.',
    retriable: false,
  },

  IDENTITY_MISSING: {
    exit: 13,
    cause: 'A backup is encrypted, and no identity at hand opens it.',
    remedy: 'Give the identity of a recipient named with --identity-file, or ETCD_OPS_IDENTITY_FILE for services.',
    retriable: false,
  },

  BINARY_MISSING: {
    exit: 12,
    cause: 'A program that is needed is not there.',
    remedy: 'Install it or put it on PATH.',
    retriable: false,
  },
  STATE_DIR_LOCKED: {
    exit: 12,
    cause: 'Another daemon uses this state directory.',
    remedy: 'Stop it, or give this one a --state-dir of its own.',
    retriable: false,
  },
  DISK_FAILED: {
    exit: 12,
    cause: 'The local disk refused or failed.',
    remedy: 'Check free space, rights and the health of the disk.',
    retriable: false,
  },
  CANCELLED: {
    exit: 130,
    cause: 'The operation was cancelled.',
    remedy: 'Start it again if that was not meant.',
    retriable: false,
  },
} as const satisfies Record<string, ErrorCodeFacts>;

export type ErrorCode = keyof typeof ERROR_CODES;
