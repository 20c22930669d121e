export { apiErrorCode, API_ERROR, isDefiniteRefusal, toBusError } from './bus-error.ts';
export { Bus, connectBus, type BusOptions, type BusStatus } from './connection.ts';
export { Documents, type Change, type Stored } from './documents.ts';
export {
  ANY_POOL,
  API_NAME,
  apiSubject,
  attemptKey,
  bucketStream,
  clusterKey,
  clusterOfTask,
  CLUSTERS_BUCKET,
  clusterToken,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  deadSubject,
  DONE_SUBJECTS,
  doneSubject,
  eventsStream,
  eventsSubject,
  HISTORY_STREAM,
  jobKey,
  JOBS_BUCKET,
  lastDoneKey,
  NOTIFY_DURABLE,
  OWNERS_BUCKET,
  positionKey,
  PROGRESS_SUBJECTS,
  progressSubject,
  STATE_BUCKET,
  TASK_KINDS,
  TASK_SUBJECTS,
  taskDurable,
  taskFilter,
  TASKS_STREAM,
  taskSubject,
  watcherKey,
  WATCHERS_PREFIX,
  type TaskAddress,
  type TaskKind,
} from './names.ts';
export { attempts, clusterSpecs, jobs, lastDone, owners, positions } from './state.ts';
export {
  ensureEventStream,
  ensureTopology,
  OWNER_TTL_MS,
  WATCHER_SILENCE_MS,
  removeEventStream,
  type EventStreamOptions,
  type TopologyOptions,
  type TopologyPart,
} from './topology.ts';

export { acceptEvent, type Expectation, type SkipReason, type Verdict } from './events/accept-event.ts';
export { EventAssembler, type EventRead } from './events/event-assembler.ts';
export { decodeHeaders, payloadByteLength } from './events/event-codec.ts';
export {
  START_CAUSES,
  type EventHeaders,
  type EventMessage,
  type RowsEvent,
  type StartCause,
  type StartEvent,
} from './events/event-message.ts';
export { EventWriter, type Blocked, type PublishOptions } from './events/event-writer.ts';
export { lastEvent, tailState, type StreamHeaders, type TailState } from './events/last-event.ts';
export { type Beginning, type LastEvent } from './events/stream-follower.ts';
export { connectStream, isReached, type KnownPoint, type StreamConnection } from './events/stream-connection.ts';
export { type Skipped } from './events/part-joiner.ts';
export { isAlarming, readEvents, type ReadEventsOptions } from './events/read-events.ts';
export { streamFacts, type StreamFacts } from './events/stream-facts.ts';
export { trimEvents } from './events/trim-events.ts';
export { followStream, type FollowedMessage, type FollowOptions } from './follow-stream.ts';

export { attemptSchema, type Attempt } from './messages/attempt.ts';
export {
  checkClusterSpec,
  clusterSpecFields,
  clusterSpecSchema,
  type ClusterSpec,
  type ClusterSpecInput,
} from './messages/cluster-spec.ts';
export { type CopyTask } from './messages/copy-task.ts';
export { type DestinationSpec } from './messages/destination-spec.ts';
export { storeOf } from './messages/store-of.ts';
export { deadLetterSchema, type DeadLetter } from './messages/dead-letter.ts';
export { defragTaskSchema, type DefragTask } from './messages/defrag-task.ts';
export { deltaTaskSchema, type DeltaTask } from './messages/delta-task.ts';
export { failureSchema, type Failure } from './messages/failure.ts';
export { failureOf } from './tasks/failure-of.ts';
export { fullTaskSchema, type FullTask } from './messages/full-task.ts';
export { gcTaskSchema, type GcTask } from './messages/gc-task.ts';
export { jobAnswerSchema, jobRequestSchema, type JobAnswer, type JobRequest } from './messages/job-api.ts';
export { jobSchema, type Job } from './messages/job.ts';
export { lastDoneSchema, type LastDone } from './messages/last-done.ts';
export { listAnswerSchema, listRequestSchema, type ListAnswer, type ListRequest } from './messages/list-api.ts';
export { mergeTaskSchema, type MergeTask } from './messages/merge-task.ts';
export { MESSAGES, type MessageDescription } from './messages/message-list.ts';
export {
  HAPPENINGS,
  happeningSchema,
  notificationSchema,
  type Happening,
  type HappeningKind,
  type Notification,
} from './messages/notification.ts';
export { ownerSchema, type CaptureFacts, type Owner } from './messages/owner.ts';
export { planAnswerSchema, planRequestSchema, type PlanAnswer, type PlanRequest } from './messages/plan-api.ts';
export { positionSchema, type Position } from './messages/position.ts';
export { readTolerantly, type Read, type UnknownField } from './messages/read-tolerantly.ts';
export { progressSchema, type Progress } from './messages/progress.ts';
export {
  restoreAnswerSchema,
  restoreRequestSchema,
  type RestoreAnswer,
  type RestoreRequest,
} from './messages/restore-api.ts';
export { restoreTargetSchema, type RestoreTarget } from './messages/restore-target.ts';
export { type RestoreChosen } from './messages/restore-chosen.ts';
export { restoreTaskSchema, versionOfRestore, type RestoreTask } from './messages/restore-task.ts';
export {
  snapshotAnswerSchema,
  snapshotRequestSchema,
  type SnapshotAnswer,
  type SnapshotRequest,
} from './messages/snapshot-api.ts';
export {
  statusAnswerSchema,
  statusRequestSchema,
  type StandingFailure,
  type StatusAnswer,
  type StatusRequest,
} from './messages/status-api.ts';
export { taskResultSchema, type TaskResult } from './messages/task-result.ts';
export { taskSchema, type Task, type TaskInput, type TaskOf } from './messages/task.ts';

export {
  verifyAnswerSchema,
  verifyRequestSchema,
  type VerifyAnswer,
  type VerifyRequest,
} from './messages/verify-api.ts';
export { verifyTaskSchema, type VerifyTask } from './messages/verify-task.ts';
export { witnessTaskSchema, type WitnessTask } from './messages/witness-task.ts';

export { dispatchTask, type DispatchOutcome } from './tasks/dispatch-task.ts';
export { findResult } from './tasks/find-result.ts';
export { queueDepths } from './tasks/queue-depths.ts';
export { ensureReader, readBatch, type Batch, type ReaderOptions } from './tasks/durable-reader.ts';
export { queuedTask } from './tasks/queued-task.ts';
export { isPoolServed } from './tasks/served-pools.ts';
export { runTasks, type RunTasksOptions } from './tasks/run-tasks.ts';
export { type TaskEvent } from './tasks/task-events.ts';
export { type ProgressReport } from './tasks/task-progress.ts';
export { type TaskContext, type TaskHandler, type TaskOutcome } from './tasks/task-runner.ts';

export { apiErrorSchema, type ApiErrorBody } from './services/api-error.ts';
export { callApi } from './services/call-api.ts';
export { apiEndpoint, serveApi, type ApiEndpoint, type ServeApiOptions, type ServedApi } from './services/serve-api.ts';

export {
  renderAccounts,
  renderServer,
  type AccountsOptions,
  type Credential,
  type ServerOptions,
  type TlsFiles,
} from './rights/render-config.ts';
export { createUserKey, publicKeyOf, type UserKey } from './rights/user-key.ts';
export { ACCOUNTS, inboxPrefix, ROLES, SHOWN_IN_CORE, SHOWN_IN_OPS, type Account, type Role } from './rights/roles.ts';

export { findNatsServer } from './private-server/find-nats-server.ts';
export {
  readConnectionFile,
  startPrivateServer,
  type ConnectionFile,
  type PrivateServer,
  type PrivateServerOptions,
} from './private-server/start-private-server.ts';
