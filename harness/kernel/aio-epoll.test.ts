import t, { type Test } from 'tap';
import {
  PE,
  explored,
  sequential,
  type AioBody,
  type AioLitmus,
  type AioSeen,
  type Request,
} from './aio-epoll.test-kit.ts';
import { ADD, EVENT_SIZE, IN } from './kernel-2.6.20.test-kit.ts';
import { kernelConfig } from './kernel.ts';
import {
  epMaxMs,
  isInfiniteMs,
  jiffiesToMsecs,
  longMax,
  msecsToJiffies,
  offsetAsMs,
  ticksUntil,
  toAbs,
  toRel,
} from './series/ep-time.ts';

/** Runs `body` as on a machine with that HZ and that width of long. */
function on<T>(hz: number, longBits: 32 | 64, body: () => T): T {
  const saved = { ...kernelConfig };
  kernelConfig.hz = hz;
  kernelConfig.longBits = longBits;
  try {
    return body();
  } finally {
    Object.assign(kernelConfig, saved);
  }
}

t.test('the longest finite timeout, and what is left of "never" in an int', async (t) => {
  const rows: readonly (readonly [number, bigint, bigint, number])[] = [
    [100, 21474826n, 92233720368547748n, 2061584292],
    [250, 8589930n, 36893488147419099n, -1752346661],
    [300, 7158275n, 30744573456182582n, -744461002],
    [1000, 2147482n, 9223372036854774n, -1511828490],
    [1024, 2097151n, 9007199254740991n, -1],
  ];
  for (const [hz, max32, max64, asInt] of rows) {
    t.equal(on(hz, 32, epMaxMs), max32, `HZ ${hz}, 32 bits`);
    t.equal(on(hz, 64, epMaxMs), max64, `HZ ${hz}, 64 bits`);
    t.equal(
      on(hz, 64, () => toRel(longMax(), 0n)),
      asInt,
      `HZ ${hz}, 64 bits, as an int`,
    );
    t.equal(
      on(hz, 32, () => toRel(longMax(), 0n)),
      Number(max32),
      `HZ ${hz}, 32 bits, as an int`,
    );
  }
});

t.test('milliseconds become ticks rounded up; ticks become milliseconds', async (t) => {
  const ticks = (hz: number, ms: number, longBits: 32 | 64 = 32): bigint =>
    on(hz, longBits, () => msecsToJiffies(BigInt(ms)));
  const ms = (hz: number, j: number): bigint => on(hz, 32, () => jiffiesToMsecs(BigInt(j)));

  t.same(
    [1, 4, 5].map((n) => ticks(250, n)),
    [1n, 1n, 2n],
  );
  t.same(
    [1, 10, 11].map((n) => ticks(100, n)),
    [1n, 1n, 2n],
  );
  t.same(
    [1, 3, 4, 1000].map((n) => ticks(300, n)),
    [1n, 1n, 2n, 300n],
  );
  t.same(
    [0, 1, 1000].map((n) => ticks(1024, n)),
    [0n, 2n, 1024n],
  );
  t.same(
    [0, 1, 7].map((n) => ticks(2000, n)),
    [0n, 2n, 14n],
  );
  t.same(
    [1, 2].map((n) => ms(250, n)),
    [4n, 8n],
  );
  t.same(
    [1, 2, 300].map((n) => ms(300, n)),
    [3n, 6n, 1000n],
    'rounded down',
  );
  t.same(
    [1, 2, 1024].map((n) => ms(1024, n)),
    [0n, 1n, 1000n],
    'less than a millisecond is none',
  );
  t.same(
    [1, 2, 3].map((n) => ms(2000, n)),
    [1n, 1n, 2n],
    'rounded up',
  );

  t.equal(ticks(3000, 2 ** 31 - 1, 64), 6442450941n, 'nothing wraps at a multiple of 1000');
  t.equal(ticks(300, 14316557, 64), 4294968n);
  t.equal(ticks(300, 14316558, 64), 1n, 'the product has wrapped at 32 bits');
  t.equal(ticks(300, 20000000, 64), 1705033n, 'an hour and a half instead of five and a half');
  t.equal(ticks(1024, 4194303, 64), 4294967n);
  t.equal(ticks(1024, 4194304, 64), 0n, 'seventy minutes are no time at all');
});

t.test('a timeout is the low half of aio_offset, as an int', async (t) => {
  t.same(
    [-1, 2 ** 31, 2 ** 32 - 1, 0, 2 ** 32, 3 * 2 ** 32, 2 ** 32 + 5, 2 ** 31 - 1].map(offsetAsMs),
    [-1, -(2 ** 31), -1, 0, 0, 0, 5, 2 ** 31 - 1],
  );
  const infinite = (hz: number, longBits: 32 | 64, ms: number): boolean =>
    on(hz, longBits, () => isInfiniteMs(ms));
  t.equal(infinite(1000, 32, 3600000), true, 'an hour');
  t.equal(infinite(1000, 32, 2147482), true);
  t.equal(infinite(1000, 32, 2147481), false);
  t.equal(infinite(1000, 64, 3600000), false);
  t.equal(infinite(1000, 64, 2 ** 31 - 1), false, 'the longest int is 24.8 days on 64 bits');
});

t.test('absolute times wrap, and one of them means never', async (t) => {
  on(1000, 32, () => {
    const boot = 2n ** 32n - 300000n;
    t.equal(toAbs(-1, boot), longMax());
    t.equal(toAbs(2147482, 0n), longMax());
    t.equal(toAbs(400000, boot), 100000n, 'past the wrap');
    t.equal(toRel(100000n, boot), 400000);
    t.equal(toRel(100000n, 100000n), 0);
    t.equal(toRel(100000n, 100001n), 0);
    t.equal(toAbs(5, longMax() - 5n), longMax(), 'a finite time that reads as never');
    t.equal(toRel(longMax(), longMax() + 7n), 2147482, 'never has no end, though it has passed');
    t.ok(ticksUntil(longMax(), boot) < 0n, 'never has passed during the first minutes after boot');
    t.ok(ticksUntil(longMax(), 0n) > 0n);
    t.ok(ticksUntil(longMax(), 2n ** 31n) < 0n);
  });
  on(1024, 64, () => {
    t.equal(toAbs(1, 10n), 12n);
    t.equal(toRel(12n, 10n), 1);
    t.equal(toRel(12n, 11n), 0, 'one tick early');
  });
  on(1000, 64, () => t.ok(ticksUntil(longMax(), 2n ** 32n) > 0n));
});

// ---- epoll iocbs ----

const ET = 0x80000001;
const PLAIN_PE = '2.6.20+aio-epoll-wait';
const SYNC = `${PE}+aio-epoll-timer-sync`;

/** A context, a pipe and a set with its reading end. */
function set(events = IN): AioBody {
  return function* (u) {
    yield* u.setup('c');
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'r', events);
  };
}

function epoll(rest: Partial<Request> = {}): Request {
  return { op: 'epoll', fd: 'A', ...rest };
}

/** One thread, from `set` on; one run. What fs-aio leaves in io_wait is not told again. */
function alone(body: AioBody, options: Omit<AioLitmus, 'threads'> & { events?: number } = {}) {
  const lines = sequential(
    function* (u) {
      yield* set(options.events)(u);
      yield* body(u);
    },
    { contexts: [0, 1], timed: [0, 4], runs: 1, ...options },
  );
  return lines.filter((line) => line !== 'ACCOUNT A-I13');
}

function has(t: Test, seen: AioSeen, ...findings: readonly string[]): void {
  for (const finding of findings) t.ok(seen.findings.includes(finding), finding);
}

t.test('an epoll iocb reports what an epoll_wait would, as its result', async (t) => {
  const lines = alone(function* (u) {
    yield* u.note('nothing ready, 0 ms', u.sub('c', 'a', epoll({ offset: 0 })));
    yield* u.note('its event', u.get('c', 0, 4));
    yield* u.note('no timeout', u.sub('c', 'b', epoll()));
    yield* u.note('not yet', u.get('c', 0, 4));
    yield* u.write('w', 'x');
    yield* u.note('kicked', u.get('c', 1, 4));
    u.out.set('stored', u.stored('b'));
    yield* u.note('ready at once', u.sub('c', 'd', epoll({ offset: 1000 })));
    yield* u.note('again', u.get('c', 0, 4));
  });
  t.same(lines, [
    'nothing ready, 0 ms=1',
    'its event=a:0',
    'no timeout=1',
    'not yet=0',
    'kicked=b:1',
    'stored=r:IN',
    'ready at once=1',
    'again=d:1',
  ]);
});

t.test('a wrong file or count is an event and not an error of io_submit', async (t) => {
  const lines = alone(function* (u) {
    yield* u.note('pipe', u.sub('c', 'a', { op: 'epoll', fd: 'r' }));
    yield* u.note('none', u.sub('c', 'b', epoll({ nbytes: 0 })));
    yield* u.note('too many', u.sub('c', 'd', epoll({ nbytes: 178956971 })));
    yield* u.note('events', u.get('c', 3, 4));
    yield* u.note('cancel', u.cancel('c', 'a'));
  });
  t.same(lines, [
    'pipe=1',
    'none=1',
    'too many=1',
    'events=a:EINVAL b:EINVAL d:EINVAL',
    'cancel=EINVAL',
  ]);
  const plain = alone(
    function* (u) {
      yield* u.note('opcode', u.sub('c', 'a', epoll()));
    },
    { kernel: '2.6.20' },
  );
  t.same(plain, ['opcode=EINVAL']);
});

t.test('timeouts are cut to an int, wrap, and never end where they read as never', async (t) => {
  const timeout = (offset: number, forMs: number, config: AioLitmus['config'] = {}): string[] =>
    alone(
      function* (u) {
        yield* u.sub('c', 'a', epoll({ offset }));
        yield* u.note('events', u.get('c', 1, 1, forMs));
      },
      { config },
    );
  t.same(timeout(5, 100), ['events=a:0']);
  t.same(timeout(2 ** 32 + 5, 100), ['events=a:0', 'LATENCY early'], 'E-B77, A-B44');
  t.same(timeout(2 ** 31, 100), ['events=0'], 'without end');
  const hz300 = { hz: 300, longBits: 64 } as const;
  t.same(timeout(20000000, 30000000, hz300), ['events=a:0', 'LATENCY early'], 'A-B47');
  const storm = ['COUNT 2.6-AW5', 'LIVELOCK A-R79', 'WAKEUP herd'];
  t.same(timeout(-1, 50), ['events=0']);
  for (const jiffiesStart of [2 ** 32 - 300000, 2 ** 31 + 5, 2 ** 31 - 3])
    t.same(timeout(-1, 50, { jiffiesStart }), ['events=0', ...storm], `A-B43 at ${jiffiesStart}`);
  t.same(timeout(-1, 50, { jiffiesStart: 2 ** 32 - 300000, longBits: 64 }), ['events=0']);
  const sentinel = timeout(10, 100, { jiffiesStart: 2 ** 31 - 11 });
  t.same(sentinel.slice(0, 2), ['events=0', 'COUNT 2.6-AW5'], 'A-B46');
});

t.test('a task that has run a request has no wait entry, nor has any without fs-aio', async (t) => {
  const waits: AioBody = function* (u) {
    yield* u.note('before', u.wait('A', 8, 0));
    yield* u.sub('c', 'a', epoll({ offset: 0 }));
    yield* u.note('after', u.wait('A', 8, 0));
  };
  t.same(alone(waits), ['HUNG exit', 'OOPS 2.6-AP4'], 'A-B37');
  t.same(alone(waits, { kernel: PLAIN_PE }), ['HUNG exit', 'OOPS 2.6-AP4'], 'E-B78');
  const only: AioBody = (u) => u.note('wait', u.wait('A', 8, 5));
  t.same(alone(only), ['wait=0']);
});

t.test('the buffer is not looked at before it is written', async (t) => {
  const wild = alone(function* (u) {
    yield* u.write('w', 'x');
    yield* u.sub('c', 'a', epoll({ buf: 0xc1000000 }));
    yield* u.note('events', u.get('c', 1, 1));
  });
  t.same(wild, ['events=a:1', 'KASAN-WILD 2.6-SE3'], 'A-B38, E-B65');
  const short = alone(
    function* (u) {
      yield* u.pipe('p', 'q');
      yield* u.ctl('A', ADD, 'p', ET);
      yield* u.write('w', 'x');
      yield* u.write('q', 'x');
      u.kernel.mm.mapAt(0x70000000, EVENT_SIZE, true, true);
      yield* u.sub('c', 'a', epoll({ buf: 0x70000000 }));
      yield* u.note('events', u.get('c', 1, 1));
      yield* u.note('left', u.sub('c', 'b', epoll({ offset: 0 })));
      yield* u.note('nothing', u.get('c', 1, 1));
    },
    { events: ET },
  );
  t.same(short, ['events=a:EFAULT', 'left=1', 'nothing=b:0', 'LOST-EDGE A-I22 / event'], 'A-B49');
});

t.test('an event, an edge for two and a level for both', async (t) => {
  const one = explored({
    init: set(),
    timed: [0, 1],
    threads: [
      function* (u) {
        yield* u.sub('c', 'a', epoll());
        yield* u.note('g', u.get('c', 1, 1));
        u.out.set('stored', u.stored('a'));
      },
      (u) => u.note('w', u.write('w', 'x')),
    ],
  });
  t.same(one.outcomes, ['g=a:1, stored=r:IN, w=1'], 'A-L20');
  t.same(one.findings, []);

  const two = (events: number, other: AioBody): AioSeen =>
    explored({
      init: function* (u) {
        yield* set(events)(u);
        yield* u.sub('c', 'a', epoll());
        if (events === ET) yield* u.sub('c', 'b', epoll());
      },
      timed: [2],
      threads: [(u) => u.note('g', u.get('c', 1, 2)), other, (u) => u.note('w', u.write('w', 'x'))],
      runs: 400,
    });
  const edge = two(ET, function* () {});
  t.same(
    edge.outcomes,
    ['g=b:1, w=1'],
    'A-L24: the newest is kicked first, and the other waits on',
  );
  t.ok(edge.findings.includes('WAKEUP herd'), 'A-B50, E-B74');
  const level = two(IN, (u) => u.note('e', u.wait('A', 8, -1)));
  t.same(level.outcomes, ['e=r:IN, g=a:1, w=1'], 'A-L25');
});

t.test('the handler of the timer uses what is freed', async (t) => {
  const tick = explored({
    init: set(),
    timed: [0, 1],
    timers: 'any',
    runs: 300,
    threads: [
      function* (u) {
        yield* u.sub('c', 'a', epoll({ offset: 1 }));
        yield* u.note('g', u.get('c', 1, 1));
      },
      (u) => u.note('w', u.write('w', 'x')),
    ],
  });
  t.same(tick.outcomes, ['g=a:0, w=1', 'g=a:1, w=1'], 'A-L22');
  has(t, tick, 'KASAN-UAF 2.6-AT1 / really_put_req', 'KASAN-UAF 2.6-AT1 / aio_free_iocb_timer');

  const released = explored({
    init: set(ET),
    timed: [0, 1],
    timers: 'any',
    runs: 300,
    threads: [
      function* (u) {
        yield* u.sub('c', 'a', epoll({ offset: 3 }));
        yield* u.close('A');
        yield* u.write('w', 'x');
        yield* u.note('g', u.get('c', 1, 1));
      },
    ],
  });
  has(t, released, 'KASAN-UAF 2.6-AT2 / __fput', 'KASAN-UAF 2.6-AT3 / 2.6-ep_free');
});

t.test('a destructor that waits for the handler waits for ever', async (t) => {
  const deadlock = explored({
    kernel: SYNC,
    init: set(ET),
    timed: [0, 1, 1],
    timers: 'any',
    runs: 3000,
    until: 'HUNG aio_free_iocb_timer',
    threads: [
      function* (u) {
        yield* u.sub('c', 'a', epoll({ offset: 3 }));
        yield* u.note('g', u.get('c', 1, 2));
      },
      function* (u) {
        yield* u.sub('c', 'b', epoll({ offset: 300 }));
        yield* u.write('w', 'x');
      },
    ],
  });
  has(t, deadlock, 'HUNG aio_free_iocb_timer');
});

t.test('a cancellation between the two looks at it unlocks what is not locked', async (t) => {
  const seen = explored({
    init: set(),
    timed: [0, 1],
    threads: [
      (u) => u.note('s', u.sub('c', 'a', epoll())),
      (u) => u.note('cancel', u.cancel('c', 'a')),
      function* (u) {
        yield* u.write('w', 'x');
      },
    ],
  });
  has(t, seen, 'LOCKDEP 2.6-AP11', 'HUNG 2.6-CB1', 'KCSAN 2.6-AP9 / 2.6-CB5');
  t.ok(seen.outcomes.includes('cancel=EINVAL, s=1'), 'before there is a method');
});

t.test('io_cancel answers 0 for a request that has its event, or takes it away', async (t) => {
  const seen = explored({
    init: function* (u) {
      yield* set(ET)(u);
      yield* u.sub('c', 'a', epoll());
    },
    timed: [1],
    threads: [
      function* (u) {
        yield* u.write('w', 'x');
        yield* u.note('g', u.get('c', 1, 1, 5));
      },
      (u) => u.note('cancel', u.cancel('c', 'a')),
    ],
  });
  t.same(seen.outcomes, ['cancel=0, g=0', 'cancel=0, g=a:1', 'cancel=EINVAL, g=a:1'], 'A-L23');
  has(t, seen, 'CANCEL consumed / A-I22', 'DUPLICATE A-I6 / cancel-and-event');
});

t.test('a cancellation takes the private data of any file for a set', async (t) => {
  const cancelled = (fd: string): AioSeen =>
    explored({
      init: function* (u) {
        yield* set()(u);
        yield* u.pair('s', 'u');
      },
      timed: [0, 1],
      threads: [
        (u) => u.note('s', u.sub('c', 'a', { op: 'epoll', fd })),
        (u) => u.note('cancel', u.cancel('c', 'a')),
      ],
    });
  has(t, cancelled('r'), 'OOPS 2.6-AT3');
  has(t, cancelled('s'), 'KASAN-WILD 2.6-AT3');
});

t.test('a signal of whoever runs the request ends it', async (t) => {
  const own = explored({
    init: set(),
    timed: [0, 1],
    signals: true,
    threads: [
      function* (u) {
        yield* u.sub('c', 'a', epoll());
        yield* u.note('g', u.get('c', 0, 1));
      },
      (u) => u.kill(1),
    ],
  });
  t.same(own.outcomes, ['g=0', 'g=a:EINTR'], 'E-B71');
  const foreign = explored({
    init: set(ET),
    timed: [0, 0, 1],
    signals: true,
    runs: 5000,
    until: 'FOREIGN A-R35 / interrupted',
    threads: [
      (u) => u.note('g', u.get('c', 1, 1, 300)),
      function* (u) {
        yield* u.sub('c', 'a', epoll());
        yield* u.write('w', 'x');
      },
      (u) => u.note('taken', u.wait('A', 8, 0)),
      (u) => u.kill(1),
    ],
  });
  has(t, foreign, 'FOREIGN A-R35 / interrupted');
});
