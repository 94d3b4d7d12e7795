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
  // Reading memory that nobody has written.
  'KMSAN',
  // A request that is reported or completed twice, one that is never reported.
  'DUPLICATE',
  'LOST-EVENT',
  // Bytes or datagrams that do not add up.
  'LEDGER',
  // References, counters and lists that contradict each other.
  'ACCOUNT',
  'LATENCY',
  'LIVELOCK',
  'STACK',
  // Work done on behalf of the wrong task, address space or type of file.
  'FOREIGN',
  // A cancellation that reports success and was none.
  'CANCEL',
  // More or fewer sleepers woken than events came.
  'WAKEUP',
];
