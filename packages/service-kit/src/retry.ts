export {
  isRetriable,
  retry,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
  retryDelayMs,
  type RetryFailure,
  type RetryOptions,
} from '@etcd-ops/core';
