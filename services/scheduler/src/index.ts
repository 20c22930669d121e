export { createSchedulerService } from './service.ts';
export { schedulerSettings, type SchedulerSettings } from './settings.ts';
export { cronSchedule } from './cron-schedule.ts';
export { periodSchedule, type Schedule } from './schedule.ts';
