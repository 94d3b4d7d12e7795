export { andThen, atOnce } from './at-once.ts';
export * from './deferred.ts';
export * from './engine.ts';
export * from './list.ts';
export * from './lock.ts';
export type { EventLog } from './log.ts';
export * from './memory.ts';
export {
  Class,
  HarnessBug,
  KIND_NAMES,
  Kind,
  MAX_OBJECTS,
  MAX_THREADS,
  Nondeterminism,
} from './op.ts';
export * from './observer.ts';
export { CycleWatch, type Cycle } from './cycle.ts';
export { relax, spins } from './relax.ts';
export { SideTable, keepState } from './snapshot.ts';
export * from './store-buffer.ts';
export * from './task.ts';
export * from './timer.ts';
export * from './user-memory.ts';
export * from './wait.ts';
export * from './wording.ts';
