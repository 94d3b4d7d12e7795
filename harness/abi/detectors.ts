/** The names findings go by, as in the detector table (0.3) of the semantics reference. */

/** Every detector a program may expect; sanitizers and checks report under these names only. */
export const DETECTORS: readonly string[] = [
  'KASAN-UAF',
  'KASAN-OOB',
  'KASAN-WILD',
  'OOPS',
  'DOUBLE-FREE',
  'LOCKDEP',
  'KCSAN',
  'HUNG',
  'LOST-EDGE',
  'SOFT-LOCKUP',
  'LEAK',
  'COUNT',
  'STALE',
  'INFOLEAK',
  'WARN',
];
