import t from 'tap';
import {
  newWaitQueue,
  newWord,
  prepareToWait,
  read,
  wakeUp,
  write,
  writeRef,
  type Kernel,
  type WaitQueue,
  type Word,
} from '../machine/index.ts';
import {
  EIOCBQUEUED,
  EIOCBRETRY,
  runAio,
  sequenceAio,
  type AioBody,
  type AioLibc,
} from './aio.test-kit.ts';
import { plain2620, type Parts2620 } from './build-2.6.20.ts';
import { build31 } from './build-3.1.ts';
import { aioComplete, aioPutReq } from './fs/aio/complete.ts';
import { ringAt, userLoad, userReap, userStore } from './fs/aio/ring.ts';
import { aio31 } from './fs/aio/parts-3.1.ts';
import type { CancelMethod, Kiocb, RetryMethod } from './fs/aio/kioctx.ts';

const SCRIPTED = 100;

/** 2.6.20 with one more opcode, whose method is the test's. */
function withMethod(retry: RetryMethod, cancel: CancelMethod | null = null): Parts2620 {
  const { aio } = plain2620;
  return {
    ...plain2620,
    aio: {
      ...aio,
      *setupOpcode(k, opcode) {
        if (opcode !== SCRIPTED) return yield* aio.setupOpcode(k, opcode);
        k.retry = retry;
        if (cancel !== null) yield* writeRef(k.cancel, cancel, 'setup');
        return 0;
      },
    },
  };
}

/** An event that a request can wait for. */
class Bell {
  readonly queue: WaitQueue;
  readonly rung: Word;

  constructor() {
    this.queue = newWaitQueue('bell');
    this.rung = newWord('rung', 0);
  }

  *ring(): Kernel<void> {
    yield* write(this.rung, 1, 'ring');
    yield* wakeUp(this.queue, 1, 0, 'ring');
  }

  /** A method that waits for it: registers, then looks. */
  *wait(k: Kiocb): Kernel<number> {
    if ((yield* read(this.rung, 'wait')) !== 0) return 1;
    yield* prepareToWait(this.queue, k.wait, 1, 'wait');
    return -EIOCBRETRY;
  }
}

let bell: Bell;

function scripted(u: AioLibc, name: string): number {
  return u.iocb(name, { lioOpcode: SCRIPTED, fildes: u.number('r'), nbytes: 1 });
}

const withBell: AioBody = function* (u) {
  bell = new Bell();
  yield* u.pipe('r', 'w');
  yield* u.setup('c', 4);
};

const retries = withMethod((k) => bell.wait(k));

t.test('a kicked request is run again by whoever comes first, and reported once', async (t) => {
  const seen = runAio({
    parts: retries,
    init: function* (u) {
      yield* withBell(u);
      yield* u.submit('c', scripted(u, 'a'));
    },
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 1, 1));
      },
      function* () {
        yield* bell.ring();
      },
    ],
  });
  t.same(seen.outcomes, ['x=a:1']);
  t.same(seen.findings, []);
});

/** Completes from a worker or an interrupt, in the model from a thread. */
let pending: Kiocb[] = [];
const queued = withMethod(function* (k) {
  pending.push(k);
  yield* write(bell.rung, 1, 'queued');
  return -EIOCBQUEUED;
});

const withQueue: AioBody = function* (u) {
  pending = [];
  yield* withBell(u);
};

/** What the device does when it has finished. */
function* finish(): Kernel<void> {
  yield* read(bell.rung, 'finish');
  for (const k of pending.splice(0)) yield* aioComplete(k, 1, 0, 'finish');
}

t.test('io_destroy waits for what is in flight, and discards it', async (t) => {
  const seen = runAio({
    parts: queued,
    init: function* (u) {
      yield* withQueue(u);
      yield* u.submit('c', scripted(u, 'a'), scripted(u, 'b'));
    },
    threads: [
      function* (u) {
        yield* u.note('d', u.destroy('c'));
      },
      finish,
    ],
  });
  t.same(seen.outcomes, ['d=0']);
  t.same(seen.findings, []);
});

t.test('a submission that began before io_destroy runs on a dead context (A-B8)', async (t) => {
  const seen = runAio({
    parts: queued,
    init: withQueue,
    threads: [
      function* (u) {
        yield* u.note('n', u.submit('c', scripted(u, 'a')));
      },
      function* (u) {
        yield* u.note('d', u.destroy('c'));
      },
    ],
    exits: false,
  });
  t.ok(seen.findings.includes('OOPS put_ioctx-1'), seen.findings.join('; '));
  t.comment(seen.outcomes.join('; '), `${seen.executions} executions`);
});

t.test('io_setup tells of a context that is gone already (A-B9)', async (t) => {
  const seen = runAio({
    contexts: [0, 1],
    threads: [
      function* (u) {
        yield* u.note('s', u.setup('c', 1));
      },
      function* (u) {
        yield* u.note('d', u.destroy(0x40000000));
      },
    ],
  });
  t.same(seen.outcomes, ['d=0, s=0', 'd=EINVAL, s=0']);
  t.ok(seen.findings.includes('KASAN-UAF io_setup-9 / put_ioctx-6'), seen.findings.join('; '));
});

t.test('whoever sleeps for events is not told of io_destroy (A-B10)', async (t) => {
  const seen = runAio({
    init: withBell,
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 1, 1));
      },
      function* (u) {
        yield* u.note('d', u.destroy('c'));
      },
    ],
  });
  t.same(seen.outcomes, ['d=0 (blocked)', 'd=0, x=EINVAL']);
  t.ok(seen.findings.includes('WAKEUP destroyed'), seen.findings.join('; '));
});

/** A method that can be cancelled: the bell is rung for it. */
function* cancelBell(k: Kiocb, event: { res: number }): Kernel<number> {
  yield* wakeUp(bell.queue, 1, 0, 'cancel');
  event.res = 0;
  yield* aioPutReq(k, 'cancel');
  return 0;
}

const cancellable = withMethod((k) => bell.wait(k), cancelBell);

t.test('a request is cancelled or completes, or both (A-B4)', async (t) => {
  const seen = runAio({
    parts: cancellable,
    init: function* (u) {
      yield* withBell(u);
      yield* u.submit('c', scripted(u, 'a'));
    },
    threads: [
      function* (u) {
        yield* bell.ring();
        yield* u.note('x', u.reap('c', 1, 1, 0));
      },
      function* (u) {
        yield* u.note('y', u.cancel('c', u.iocbAt('a')));
      },
    ],
  });
  t.same(seen.outcomes, ['x=0, y=a:0', 'x=a:1, y=EINVAL', 'x=a:1, y=a:0']);
  t.ok(seen.findings.includes('DUPLICATE A-I6 / cancel-and-event'), seen.findings.join('; '));
});

t.test(
  'a second cancel reports the request again; one that fails loses it (A-B5, A-B6)',
  async (t) => {
    const twice = sequenceAio(
      function* (u) {
        yield* withBell(u);
        yield* u.submit('c', scripted(u, 'a'));
        yield* u.note('x', u.cancel('c', u.iocbAt('a')));
        yield* u.note('y', u.cancel('c', u.iocbAt('a')));
      },
      { parts: cancellable },
    );
    t.same(twice.slice(0, 2), ['x=a:0', 'y=a:0']);
    t.ok(twice.includes('DUPLICATE A-I6 / cancel-twice'), twice.join('; '));

    const lost = sequenceAio(
      function* (u) {
        yield* withBell(u);
        yield* u.submit('c', scripted(u, 'a'));
        yield* u.note('x', u.cancel('c', u.iocbAt('a'), 0x1000));
        yield* u.note('y', u.reap('c', 1, 1, 500));
      },
      { parts: cancellable },
    );
    t.same(lost.slice(0, 2), ['x=EFAULT', 'y=0']);
    t.ok(lost.includes('LOST-EVENT A-I6 / cancel-failed'), lost.join('; '));
  },
);

t.test(
  'a kick that comes after its request is gone reaches a context that is gone (A-B11)',
  async (t) => {
    const seen = runAio({
      parts: retries,
      init: function* (u) {
        yield* withBell(u);
        yield* u.submit('c', scripted(u, 'a'));
      },
      threads: [
        function* (u) {
          yield* u.note('x', u.reap('c', 1, 1));
          yield* u.note('d', u.destroy('c'));
        },
        function* () {
          yield* bell.ring();
        },
      ],
    });
    t.same(seen.outcomes, ['d=0, x=a:1']);
    t.ok(
      seen.findings.some((f) => f.startsWith('KASAN-UAF') && f.endsWith('/ put_ioctx-6')),
      seen.findings.join('; '),
    );
  },
);

t.test(
  'the ring goes with its pages, and so does what was mapped over it (A-B16, A-B17)',
  async (t) => {
    const lines = sequenceAio(function* (u) {
      yield* withBell(u);
      const ring = u.handle('c');
      yield* u.call('munmap', ring);
      yield* u.call('mmap', -1, 4096, 3, 2, 0, ring);
      yield* u.note('still works', u.submit('c', u.pread('a', 'r', 1)));
      yield* u.note('and this', u.reap('c', 1, 1));
      yield* u.note('destroyed', u.destroy('c'));
      u.out.set('mapped', String(u.kernel.mm.find(ring) !== null));
    });
    t.same(lines, [
      'still works=1',
      'and this=a:EAGAIN',
      'destroyed=0',
      'mapped=false',
      'FOREIGN ring-unmap',
    ]);

    const forked = sequenceAio(function* (u) {
      yield* withBell(u);
      const ring = ringAt(u.handle('c'));
      if (ring === null) return;
      const words = function* (name: string): Kernel<void> {
        u.out.set(name, `${yield* userLoad(ring, 'head')} ${yield* userLoad(ring, 'tail')}`);
      };
      yield* u.submit('c', u.pread('a', 'r', 1));
      yield* words('before');
      yield* u.call('fork');
      yield* u.submit('c', u.pread('a', 'r', 1));
      yield* words('forked');
      u.out.set('taken', String((yield* userReap(ring))?.res));
      yield* u.submit('c', u.pread('a', 'r', 1));
      yield* words('after');
      yield* u.note('kernel', u.reap('c', 1, 8));
    });
    t.same(forked, [
      'before=0 1',
      'forked=0 2',
      'taken=-11',
      'after=1 2',
      'kernel=a:EAGAIN a:EAGAIN a:EAGAIN',
      'DUPLICATE A-I4',
      'STALE ring-hidden',
    ]);
  },
);

t.test('what user space writes to the ring is believed (A-B14, A-B15)', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      yield* withBell(u);
      const ring = ringAt(u.handle('c'));
      if (ring === null) return;
      const read = (name: string): number => u.pread(name, 'r', 1);
      yield* u.submit('c', read('a'), read('b'), read('c'));
      yield* u.note('full', u.submit('c', read('d')));
      yield* userStore(ring, 'head', 1);
      yield* u.note('over', u.submit('c', read('d')));
      yield* userStore(ring, 'head', 2);
      yield* u.note('and over', u.submit('c', read('e')));
      yield* u.note('two left', u.reap('c', 0, 8));
      yield* userStore(ring, 'tail', 0xffffffff);
      yield* u.note('for ever', u.reap('c', 0, 6));
    },
    { ring: 4 },
  );
  t.same(lines, [
    'full=EAGAIN',
    'over=1',
    'and over=1',
    'two left=c:EAGAIN d:EAGAIN e:EAGAIN',
    'for ever=b:EAGAIN c:EAGAIN d:EAGAIN e:EAGAIN b:EAGAIN c:EAGAIN',
    'DUPLICATE A-I4',
  ]);
});

t.test('the worker and io_destroy wait for each other in two flushes (A-B13)', async (t) => {
  const seen = runAio({
    parts: queued,
    contexts: [2],
    init: function* (u) {
      yield* withQueue(u);
      yield* u.setup('e', 1);
      yield* u.submit('c', scripted(u, 'a'));
      yield* u.close('r');
    },
    threads: [
      function* (u) {
        yield* u.note('d', u.destroy('c'));
      },
      function* (u) {
        yield* finish();
        yield* u.note('e', u.destroy('e'));
      },
    ],
  });
  t.same(seen.outcomes, ['d=0 (blocked)', 'd=0, e=0']);
  t.same(seen.findings, ['HUNG put_ioctx-3']);
});

t.test('a file release that is put off outlives the address space on 3.1 (A-B12)', async (t) => {
  const init: AioBody = function* (u) {
    yield* withQueue(u);
    yield* u.submit('c', scripted(u, 'a'));
    yield* u.close('r');
  };
  const threads: AioBody[] = [finish];
  const later = runAio({
    kernel: build31('3.1', { aio: { ...aio31, setupOpcode: queued.aio.setupOpcode } }),
    init,
    threads,
  });
  t.ok(later.findings.includes('FOREIGN put_ioctx-5'), later.findings.join('; '));
  t.ok(later.findings.includes('WARN exit_aio-5'), later.findings.join('; '));

  const flushed = runAio({ parts: queued, init, threads });
  t.same(flushed.findings, [], 'the flush of 2.6.20 waits for it');
});

t.test('a cancel looks at a request that does not say yet whose it is (A-B7)', async (t) => {
  const seen = runAio({
    parts: cancellable,
    init: function* (u) {
      yield* withBell(u);
      yield* u.submit('c', scripted(u, 'a'));
    },
    threads: [
      function* (u) {
        yield* u.note('n', u.submit('c', u.pread('b', 'r', 1)));
      },
      function* (u) {
        yield* u.note('x', u.cancel('c', u.iocbAt('a')));
      },
    ],
  });
  t.same(seen.outcomes, ['n=1, x=a:0']);
  t.same(seen.findings, ['KMSAN lookup_kiocb']);
});

t.test(
  'a delay that is armed is not shortened for a sleeper that comes later (A-B26)',
  async (t) => {
    const seen = runAio({
      parts: retries,
      init: function* (u) {
        yield* withBell(u);
        yield* u.submit('c', scripted(u, 'a'), scripted(u, 'b'));
      },
      threads: [
        function* (u) {
          yield* u.note('x', u.reap('c', 1, 2));
          yield* u.note('y', u.reap('c', 1, 2));
        },
        function* () {
          yield* wakeUp(bell.queue, 1, 0, 'ring');
          yield* bell.ring();
        },
      ],
    });
    t.ok(seen.findings.includes('LATENCY A-R34'), seen.findings.join('; '));
    t.comment(seen.outcomes.join('; '), `${seen.executions} executions`, ...seen.findings);
  },
);

t.test('a slot is refused while the request of a posted event is still held (A-B31)', async (t) => {
  const seen = runAio({
    ring: 3,
    parts: cancellable,
    init: withBell,
    threads: [
      function* (u) {
        yield* u.note('n', u.submit('c', u.pread('a', 'r', 1)));
      },
      function* (u) {
        yield* u.note('m', u.submit('c', u.pread('b', 'r', 1)));
      },
    ],
  });
  t.same(seen.outcomes, ['m=1, n=1', 'm=1, n=EAGAIN', 'm=EAGAIN, n=1']);
  t.same(seen.findings, ['COUNT A-R30']);
});
