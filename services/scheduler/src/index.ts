export { createSchedulerService } from './service.ts';
export { schedulerSettings, type SchedulerSettings } from './settings.ts';
export { parseSchedule, scheduleProblems } from './parse-schedule.ts';
export { periodSchedule, type Schedule } from './schedule.ts';
export { notificationsSchema, type Notifications } from './notify/notification-settings.ts';
export { createSchedulerMetrics } from './metrics.ts';
