export { cancelled, systemClock, type Clock } from '@etcd-ops/core';
