import t from 'tap';
import {
  addEntryLocked,
  copyToUser,
  currentEntry,
  kfree,
  kmalloc,
  newSpinLock,
  newWaitQueue,
  newWord,
  PAGE_OFFSET,
  removeEntryLocked,
  spinLock,
  spinUnlock,
  UserMemory,
  write,
  type Kernel,
  type SpinLock,
  type WaitQueue,
} from '../machine/index.ts';
import type { Tiny } from '../machine/scripted.ts';
import { announce } from './aio.test-kit.ts';
import { found } from './sanitizers.test-kit.ts';

interface Plant {
  readonly rule: string;
  readonly bad: string;
  readonly finding: string;
  readonly clean: string;
}

const plants: readonly Plant[] = [
  {
    rule: 'A-I1: reqs_active counts the requests',
    bad: 'admitted; kiocb.admitted k2 1',
    finding: 'ACCOUNT A-I1',
    clean: 'admitted; kiocb.admitted k2 2',
  },
  {
    rule: 'A-I1, A-I2: an unused member of a batch is freed and stays in the account',
    bad: 'admitted; free k',
    finding: 'ACCOUNT A-I2; ACCOUNT A-I1',
    clean: 'admitted; kiocb.listed k 0; free k; kiocb.freed k 0',
  },
  {
    rule: 'A-I2: a request with users can be found',
    bad: 'accepted; kiocb.listed k 0; kiocb.run k 0',
    finding: 'ACCOUNT A-I2',
    clean: 'accepted; kiocb.cancelled k 2; kiocb.listed k 2; kiocb.run k 0',
  },
  {
    rule: 'A-I3: no more is admitted than the ring can take',
    bad: 'accepted; second; kiocb.admitted k3 3; kiocb.admitted k4 4',
    finding: 'ACCOUNT A-I3',
    clean: 'accepted; posted; gone; kiocb.admitted k2 1; kiocb.admitted k3 2; kiocb.admitted k4 3',
  },
  {
    rule: 'A-I3 binds the kernel only as long as user space does not write head or tail',
    bad: 'accepted; second; kiocb.admitted k3 3; kiocb.admitted k4 4',
    finding: 'ACCOUNT A-I3',
    clean: 'accepted; second; kiocb.admitted k3 3; ctx.user-head c 2; kiocb.admitted k4 4',
  },
  {
    rule: 'A-I4: an event that was not read is not overwritten',
    bad: 'accepted; second; kiocb.completed k 5; kiocb.posted k 1; kiocb.completed k2 5; kiocb.posted k2 1',
    finding: 'LOST-EVENT A-I4 / overwritten',
    clean:
      'accepted; second; kiocb.completed k 5; kiocb.posted k 1; kiocb.completed k2 5; kiocb.posted k2 2',
  },
  {
    rule: 'A-I4: tail does not meet head while events are unread',
    bad: 'accepted; second; ctx.user-head c 1; kiocb.completed k 5; kiocb.posted k 1',
    finding: 'LOST-EVENT A-I4 / ring-empty',
    clean: 'accepted; second; kiocb.completed k 5; kiocb.posted k 1; ctx.user-head c 1',
  },
  {
    rule: 'A-I4: no slot is read twice',
    bad: 'accepted; posted; event.read c 1',
    finding: 'DUPLICATE A-I4',
    clean: 'accepted; posted',
  },
  {
    rule: 'A-I4: what user space took is not read again',
    bad: 'accepted; kiocb.completed k 5; kiocb.posted k 1; event.user-read c 0; event.read c 1',
    finding: 'DUPLICATE A-I4',
    clean:
      'accepted; kiocb.completed k 5; kiocb.posted k 1; event.user-read c 0; ctx.user-head c 1',
  },
  {
    rule: 'A-I5: the tail that user space sees is the trusted one',
    bad: 'accepted; kiocb.completed k 5; kiocb.posted k 1; ctx.tail c 2',
    finding: 'ACCOUNT A-I5',
    clean: 'accepted; posted; ctx.head c 1',
  },
  {
    rule: 'A-I6: no two events',
    bad: 'accepted; kiocb.completed k 5; kiocb.posted k 1; kiocb.posted k 2',
    finding: 'DUPLICATE A-I6 / event-twice',
    clean: 'accepted; posted',
  },
  {
    rule: 'A-I6: no event beside a cancellation',
    bad: 'accepted; kiocb.completed k 0; kiocb.posted k 1; kiocb.cancelled k 1; kiocb.cancel-reported k 0',
    finding: 'DUPLICATE A-I6 / cancel-and-event',
    clean: 'accepted; cancelled; kiocb.cancel-reported k 0',
  },
  {
    rule: 'A-I6: no two cancellations',
    bad: 'accepted; cancelled; kiocb.cancel-reported k 0; kiocb.cancel-reported k 0',
    finding: 'DUPLICATE A-I6 / cancel-twice',
    clean: 'accepted; cancelled; kiocb.cancel-reported k 0',
  },
  {
    rule: 'A-I6: a cancellation that fails leaves a report',
    bad: 'accepted; cancelled; kiocb.cancel-lost k 14',
    finding: 'LOST-EVENT A-I6 / cancel-failed',
    clean: 'accepted; posted; kiocb.cancel-lost k 14',
  },
  {
    rule: 'A-I6: silence is for io_destroy and exit',
    bad: 'accepted; kiocb.completed k -4; kiocb.silent k 0; gone',
    finding: 'LOST-EVENT A-I6 / silent',
    clean:
      'accepted; kiocb.cancelled k 2; kiocb.listed k 2; kiocb.completed k -4; kiocb.silent k 0; gone',
  },
  {
    rule: 'A-I6: an event that cannot be copied stays in the ring',
    bad: 'accepted; posted; event.fault c 0',
    finding: 'LOST-EVENT A-I6 / efault',
    clean: 'accepted; posted',
  },
  {
    rule: 'A-R30: EAGAIN is for a ring without a free slot',
    bad: 'accepted; event; submit.full c 2; submit.refused c 0',
    finding: 'COUNT A-R30',
    clean: 'accepted; second; submit.full c 2; submit.refused c 0',
  },
  {
    rule: 'A-R53: io_getevents answers the number of events that it has stored',
    bad: 'accepted; getevents.begin c 1; posted; getevents.return c -14',
    finding: 'COUNT A-R53',
    clean: 'accepted; getevents.begin c 1; posted; getevents.return c 1',
  },
  {
    rule: 'A-I7: nothing is completed twice',
    bad: 'accepted; posted; kiocb.completed k 5',
    finding: 'DUPLICATE A-I7',
    clean: 'accepted; posted',
  },
  {
    rule: 'A-I7: nothing goes without being completed',
    bad: 'accepted; gone',
    finding: 'LOST-EVENT A-I7',
    clean: 'admitted; gone',
  },
  {
    rule: 'A-I8: references do not fall below none',
    bad: 'accepted; posted; kiocb.users k -1',
    finding: 'ACCOUNT A-I8',
    clean: 'accepted; posted; kiocb.users k 0',
  },
  {
    rule: 'A-I8: nothing is freed while a wait queue has it',
    bad: 'accepted; waits; posted; gone',
    finding: 'ACCOUNT A-I12; ACCOUNT A-I8',
    clean: 'accepted; waits; kiocb.linked k 0; posted; gone',
  },
  {
    rule: 'A-I8: nothing is freed while it is used',
    bad: 'accepted; posted; kiocb.users k 1; kiocb.listed k 0; free k; kiocb.freed k 0',
    finding: 'ACCOUNT A-I8',
    clean: 'accepted; posted; kiocb.users k 1; gone',
  },
  {
    rule: 'A-I8: the last put comes once',
    bad: 'accepted; posted; gone; kiocb.freed k 0',
    finding: 'ACCOUNT A-I8',
    clean: 'accepted; posted; gone',
  },
  {
    rule: 'A-I9: one instance runs at a time',
    bad: 'accepted; kiocb.run k 0; T2 kiocb.run k 0; posted',
    finding: 'ACCOUNT A-I9',
    clean: 'accepted; kiocb.run k 0; kiocb.ran k -529; T2 kiocb.run k 0; posted',
  },
  {
    rule: 'A-I10: what is queued was kicked',
    bad: 'accepted; waits; kiocb.linked k 0; kiocb.encoding k 1; cancelled; kiocb.cancel-reported k 0',
    finding: 'ACCOUNT A-I10',
    clean:
      'accepted; waits; kiocb.linked k 0; kiocb.kicked k 1; kiocb.encoding k 1; cancelled; kiocb.cancel-reported k 0',
  },
  {
    rule: 'A-I10: a request at rest can be queued',
    bad: 'accepted; kiocb.encoding k 2; waits',
    finding: 'ACCOUNT A-I10',
    clean:
      'accepted; kiocb.encoding k 2; kiocb.run k 0; kiocb.linked k 1; kiocb.encoding k 0; kiocb.ran k -530',
  },
  {
    rule: 'A-I10: nobody queues what another thread runs',
    bad: 'accepted; kiocb.encoding k 2; kiocb.run k 0; T2 kiocb.kicked k 1; T2 kiocb.encoding k 1',
    finding: 'ACCOUNT A-I10',
    clean: 'accepted; kiocb.encoding k 2; kiocb.run k 0; T2 kiocb.kicked k 1; kiocb.encoding k 1',
  },
  {
    rule: 'A-I11: one queue at a time',
    bad: 'accepted; kiocb.run k 0; kiocb.linked k 1; kiocb.linked k 2',
    finding: 'ACCOUNT A-I11',
    clean: 'accepted; kiocb.run k 0; kiocb.linked k 1; kiocb.linked k 0; kiocb.linked k 1',
  },
  {
    rule: 'A-I11: somebody will run a request at rest',
    bad: 'accepted; waits; kiocb.linked k 0',
    finding: 'ACCOUNT A-I11',
    clean: 'accepted; waits; kiocb.linked k 0; kiocb.kicked k 1',
  },
  {
    rule: 'A-I12: who is completed waits for nothing',
    bad: 'accepted; kiocb.linked k 1; posted',
    finding: 'ACCOUNT A-I12',
    clean: 'accepted; kiocb.linked k 1; kiocb.linked k 0; posted',
  },
  {
    rule: 'A-I13: io_wait is what it was',
    bad: 'accepted; task.io-wait.enter k 1; task.io-wait.leave k 0; task.io-wait.used set 0',
    finding: 'ACCOUNT A-I13',
    clean: 'accepted; task.io-wait.enter k 1; task.io-wait.leave k 1; task.io-wait.used set 1',
  },
  {
    rule: 'A-I16: the last reference of a context goes last',
    bad: 'accepted; ctx.unlinked c 1; ctx.users c 0; ctx.freed c 1',
    finding: 'ACCOUNT A-I16',
    clean: 'accepted; ctx.unlinked c 1; posted; gone; ctx.users c 0; ctx.freed c 0',
  },
  {
    rule: 'A-I16: nobody takes a reference after the last one',
    bad: 'context; ctx.unlinked c 1; ctx.users c 0; ctx.freed c 0; ctx.users c 1',
    finding: 'ACCOUNT A-I16',
    clean: 'context; ctx.users c 2; ctx.unlinked c 1; ctx.users c 1; ctx.users c 0; ctx.freed c 0',
  },
  {
    rule: 'A-I16: a context without users is freed, one with users is not',
    bad: 'context; ctx.unlinked c 1',
    finding: 'ACCOUNT A-I16',
    clean: 'context',
  },
  {
    rule: 'A-I17: aio_nr is the sum of what contexts reserve',
    bad: 'ctx.max-reqs c 4; ctx.nr c 4; ctx.max-reqs c2 3; ctx.nr c2 8',
    finding: 'ACCOUNT A-I17',
    clean: 'ctx.max-reqs c 4; ctx.nr c 4; ctx.max-reqs c2 3; ctx.nr c2 7; ctx.nr c 3',
  },
  {
    rule: 'A-I17: nothing stays reserved',
    bad: 'context; ctx.max-reqs c 4; ctx.nr c 4; ctx.unlinked c 1; ctx.users c 0; ctx.freed c 0',
    finding: 'ACCOUNT A-I17',
    clean:
      'context; ctx.max-reqs c 4; ctx.nr c 4; ctx.unlinked c 1; ctx.users c 0; ctx.freed c 0; ctx.nr c 0',
  },
  {
    rule: 'A-I18: no more is reserved than there may be',
    bad: 'ctx.max-reqs c 4; ctx.max-nr c 3; ctx.nr c 4',
    finding: 'ACCOUNT A-I18',
    clean: 'ctx.max-reqs c 4; ctx.max-nr c 4; ctx.nr c 4; ctx.max-nr c 2; ctx.nr c 0',
  },
  {
    rule: 'A-I19: the file of a request goes with it',
    bad: 'accepted; kiocb.file k 1; posted; gone',
    finding: 'ACCOUNT A-I19',
    clean: 'accepted; kiocb.file k 1; posted; kiocb.file k -1; gone',
  },
  {
    rule: 'A-I20: a timer that is pending keeps its request',
    bad: 'accepted; timer.armed k 0; posted; gone',
    finding: 'ACCOUNT A-I20 / timer-pending',
    clean: 'accepted; timer.armed k 0; posted; timer.cancelled k 0; gone',
  },
  {
    rule: 'A-I20: a handler that runs keeps what it looks at',
    bad: 'accepted; timer.needs k 0 file; timer.armed k 0; T2 timer.fired k 0; free file; T2 timer.done k 0',
    finding: 'ACCOUNT A-I20 / timer-running',
    clean:
      'accepted; timer.needs k 0 file; timer.armed k 0; T2 timer.fired k 0; T2 timer.done k 0; free file',
  },
  {
    rule: 'A-I22: an edge that was taken off is reported',
    bad: 'accepted; kiocb.edges k 2; kiocb.completed k -14; kiocb.posted k 1',
    finding: 'LOST-EDGE A-I22 / event',
    clean: 'accepted; kiocb.edges k 2; kiocb.completed k 3; kiocb.posted k 1',
  },
  {
    rule: 'A-I22: nor does a cancellation take one off in silence',
    bad: 'accepted; kiocb.edges k 1; cancelled; kiocb.cancel-reported k 0',
    finding: 'CANCEL consumed / A-I22',
    clean: 'accepted; kiocb.edges k 1; cancelled; kiocb.cancel-reported k 1',
  },
  {
    rule: 'A-I23: the count is what was moved',
    bad: 'accepted; kiocb.consumed k 7; posted',
    finding: 'LEDGER A-I23 / count',
    clean: 'accepted; kiocb.consumed k 3; kiocb.consumed k 2; posted',
  },
  {
    rule: 'A-I23: an error after progress tells of it',
    bad: 'accepted; kiocb.consumed k 7; kiocb.completed k -32; kiocb.posted k 1',
    finding: 'LEDGER A-I23 / error-after-progress',
    clean: 'accepted; kiocb.consumed k 0; kiocb.completed k -32; kiocb.posted k 1',
  },
  {
    rule: 'A-I23: a cancellation reports what was moved',
    bad: 'accepted; kiocb.consumed k 5; cancelled; kiocb.cancel-reported k 0',
    finding: 'CANCEL consumed / A-I23',
    clean: 'accepted; kiocb.consumed k 5; cancelled; kiocb.cancel-reported k 5',
  },
  {
    rule: 'A-I23: nor more than was moved',
    bad: 'accepted; kiocb.consumed k 1; cancelled; kiocb.cancel-reported k 5',
    finding: 'CANCEL over-reported / A-I23',
    clean: 'accepted; cancelled; kiocb.cancel-reported k 5',
  },
  {
    rule: 'A-I23: what was begun first is finished first',
    bad: 'accepted; second; kiocb.consumed k 3; kiocb.wrote k 3 file; waits; kiocb.wrote k2 10 file',
    finding: 'LEDGER A-I23 / overtaken',
    clean: 'accepted; second; kiocb.consumed k 3; kiocb.wrote k 3 file; kiocb.wrote k2 10 file',
  },
  {
    rule: 'A-I24: one write, one datagram',
    bad: 'accepted; kiocb.datagram k 10; kiocb.datagram k 0; posted',
    finding: 'LEDGER A-I24 / extra-datagram',
    clean: 'accepted; kiocb.datagram k 10; posted',
  },
  {
    rule: 'A-I24: with its payload',
    bad: 'accepted; kiocb.datagram k 0; posted',
    finding: 'LEDGER A-I24 / payload',
    clean: 'accepted; kiocb.datagram k 10; posted',
  },
  {
    rule: 'A-I25: no internal code gets out',
    bad: 'accepted; kiocb.completed k -512; kiocb.posted k 1',
    finding: 'ACCOUNT A-I25',
    clean: 'accepted; kiocb.completed k -4; kiocb.posted k 1',
  },
  {
    rule: 'A-I25: no count is larger than the request',
    bad: 'accepted; kiocb.completed k 11; kiocb.posted k 1',
    finding: 'ACCOUNT A-I25',
    clean: 'accepted; kiocb.completed k 10; kiocb.posted k 1',
  },
  {
    rule: 'cancellation safety: a cancelled request waits for nothing',
    bad: 'accepted; kiocb.cancelled k 1; waits; kiocb.cancel-reported k 0',
    finding: 'CANCEL holds',
    clean:
      'accepted; kiocb.cancelled k 1; waits; kiocb.linked k 0; kiocb.kicked k 1; kiocb.cancel-reported k 0',
  },
  {
    rule: 'A-R37: a call does not work for others as long as they like',
    bad: 'accepted; submit.begin c 0; submit.ran-other k 0; submit.ran-other k 0',
    finding: 'LIVELOCK A-R37',
    clean:
      'accepted; submit.begin c 0; submit.ran-other k 0; kiocb.accepted k2 9; submit.ran-other k 0',
  },
  {
    rule: 'A-R79: a wait without end has no timer',
    bad: 'accepted; kiocb.promised k Infinity; timer.fired k 0; timer.done k 0; timer.fired k 0; timer.done k 0',
    finding: 'LIVELOCK A-R79',
    clean:
      'accepted; kiocb.promised k 9; timer.fired k 0; timer.done k 0; timer.fired k 0; timer.done k 0',
  },
  {
    rule: 'a wait lasts as long as it was told',
    bad: 'accepted; kiocb.promised k 9; kiocb.completed k 0; kiocb.posted k 1',
    finding: 'LATENCY early',
    clean: 'accepted; kiocb.promised k 1; kiocb.completed k 0; kiocb.posted k 1',
  },
  {
    rule: 'a wait that has an end does end',
    bad: 'accepted; kiocb.promised k 9; waits',
    finding: 'LATENCY never',
    clean: 'accepted; kiocb.promised k Infinity; waits',
  },
  {
    rule: 'exact-count wakeups: who is run again finds something to do',
    bad: 'accepted; waits; kiocb.linked k 0; kiocb.kicked k 1; waits',
    finding: 'WAKEUP herd',
    clean:
      'accepted; waits; kiocb.linked k 0; kiocb.kicked k 1; kiocb.run k 0; posted; kiocb.ran k 5',
  },
  {
    rule: 'exact-count wakeups: one completion, one reaper',
    bad: 'accepted; posted; wake.completion c 2',
    finding: 'WAKEUP too-many',
    clean: 'accepted; posted; wake.completion c 1',
  },
  {
    rule: 'A-R35: the signals of a task end its own requests only',
    bad: 'accepted; T2 kiocb.run k 0; T2 kiocb.ran k -4; kiocb.completed k -4; kiocb.posted k 1',
    finding: 'FOREIGN A-R35 / interrupted',
    clean: 'accepted; kiocb.run k 0; kiocb.ran k -4; kiocb.completed k -4; kiocb.posted k 1',
  },
  {
    rule: 'the end of a context unmaps its ring and nothing else',
    bad: 'context; ring.unmap c 1',
    finding: 'FOREIGN ring-unmap',
    clean: 'context; ring.unmap c 0',
  },
  {
    rule: 'the program sees the ring that the kernel writes',
    bad: 'context; ring.hidden c 0',
    finding: 'STALE ring-hidden',
    clean: 'context',
  },
];

for (const { rule, bad, finding, clean } of plants) {
  t.test(rule, (t) => {
    t.equal(announce(bad), finding);
    t.equal(announce(clean), '');
    t.end();
  });
}

// ---- sleepers ----

t.test('A-I32: nobody sleeps while an event lies in the ring', (t) => {
  const start =
    'accepted; asleep3; asleep; event; wake T3; wake.completion c 1; T3 getevents.woken c 0';
  t.equal(announce(`${start}; T3 getevents.return c -4`), 'WAKEUP reaper');
  t.equal(announce(`${start}; T3 event.read c 1; T3 getevents.return c 1`), '');
  t.end();
});

t.test('a completion wakes a reaper that sleeps', (t) => {
  const lost = 'accepted; asleep; event; wake.completion c 0';
  t.equal(announce(lost), 'WAKEUP none; WAKEUP reaper');
  const taken = 'event; wake T2; wake.completion c 1; T2 getevents.woken c 0; T2 event.read c 1';
  t.equal(announce(`accepted; asleep; ${taken}; T2 getevents.return c 1`), '');
  t.equal(announce('accepted; event; wake.completion c 0; T2 getevents.begin c 1'), '');
  t.end();
});

t.test(
  'A-I32: nobody sleeps on a context that is destroyed, or for requests that are gone',
  (t) => {
    t.equal(announce('context; asleep; ctx.dead c 1'), 'WAKEUP destroyed');
    t.equal(announce('context; asleep'), '');
    const wait = 'accepted; T2 wait-all.asleep c 0; T2 sleep';
    t.equal(announce(`${wait}; posted; gone`), 'WAKEUP destroyer');
    t.equal(announce(wait), '');
    t.end();
  },
);

t.test('A-R34: a run for a sleeper is not late', (t) => {
  t.equal(announce('accepted; asleep; work.late c 9'), 'LATENCY A-R34');
  t.equal(announce('accepted; work.late c 9'), '');
  t.end();
});

t.test('A-R63: a method that would block does not put its runner to sleep', (t) => {
  t.equal(announce('accepted; T2 kiocb.run k 0; T2 sleep'), 'LATENCY A-R63');
  t.equal(announce('accepted; T2 kiocb.run k 0; T2 kiocb.ran k -529; T2 sleep'), '');
  t.end();
});

t.test('a cancellation wakes nobody but those who wait for the request', (t) => {
  const cancel = 'cancel.begin k 0; wake T2; cancel.end k 0';
  t.equal(announce(`accepted; T2 sleep; ${cancel}; T2 pass`), 'WAKEUP cancel');
  const reaps = 'T2 getevents.woken c 0; T2 getevents.return c 0';
  t.equal(announce(`accepted; asleep; ${cancel}; ${reaps}`), '');
  t.end();
});

t.test('books are closed between executions', (t) => {
  t.equal(announce('accepted; getevents.asleep c 0; kiocb.run k 0'), '');
  t.equal(announce('pass'), '');
  t.end();
});

// ---- invariants of AIO that sanitizers for everything look after ----

let lock: SpinLock;
let queue: WaitQueue;

/** Two tasks change one wait queue, under the lock of the queue or one of them under another. */
function twoLocks(isShared: boolean): Tiny {
  function* change(under: () => SpinLock): Kernel<void> {
    const entry = currentEntry();
    yield* spinLock(under(), 'L');
    addEntryLocked(queue, entry, 'add');
    removeEntryLocked(queue, entry, 'del');
    yield* spinUnlock(under(), 'U');
  }
  return {
    build() {
      queue = newWaitQueue('ep.wq');
      lock = newSpinLock('ep.lock');
    },
    threads: [() => change(() => queue.lock), () => change(() => (isShared ? queue.lock : lock))],
  };
}

t.test('A-I14, A-I15: locks are let go by who holds them, wait lists have one lock', (t) => {
  const unlock = (isHeld: boolean): Tiny => ({
    build() {
      lock = newSpinLock('ep.lock');
    },
    threads: [
      function* () {
        if (isHeld) yield* spinLock(lock, 'L');
        yield* spinUnlock(lock, 'U');
      },
    ],
  });
  t.same(found(unlock(false)), ['LOCKDEP U']);
  t.same(found(unlock(true)), []);
  t.ok(found(twoLocks(false)).every((f) => f.startsWith('KCSAN')));
  t.not(found(twoLocks(false)).length, 0);
  t.same(found(twoLocks(true)), []);
  t.end();
});

t.test('A-I21: nothing of a request stays allocated', (t) => {
  const tiny = (frees: boolean): Tiny => ({
    threads: [
      function* () {
        const record = kmalloc('sock_iocb', 'alloc');
        yield* write(newWord('step', 0), 1, 'step');
        if (frees) kfree(record, 'free');
      },
    ],
  });
  t.same(found(tiny(false)), ['LEAK alloc']);
  t.same(found(tiny(true)), []);
  t.end();
});

t.test('A-I33: the kernel stores at user addresses only', (t) => {
  const memory = new UserMemory();
  const store = (address: number): Tiny => ({
    threads: [
      function* () {
        yield* copyToUser(memory, address, 12, { events: 1, data: 7 }, 'store');
      },
    ],
  });
  t.same(found(store(PAGE_OFFSET)), ['KASAN-WILD store']);
  t.same(found(store(4096)), []);
  t.end();
});
