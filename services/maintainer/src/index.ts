export { createWitnessMetrics } from './witness-task.ts';
export { createDefragMetrics, createMaintainerService } from './service.ts';
export { maintainerSettings, type MaintainerSettings } from './settings.ts';
export { defragCluster, type DefragOptions, type DefragReport, type MemberResult } from './defrag.ts';
export { nextDefragStep, type DefragLimits, type DefragStep } from './defrag-plan.ts';
export { readClusterView, type ClusterView, type MemberView } from './cluster-view.ts';
