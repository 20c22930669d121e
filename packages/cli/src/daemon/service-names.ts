/** The six services, in the order of the flow of data. */
export const SERVICES = ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'restorer', 'maintainer'] as const;
export type ServiceName = (typeof SERVICES)[number];
