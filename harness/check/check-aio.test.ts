import t from 'tap';
import { historyOf, signatures } from './check.test-kit.ts';
import { CHECKS, checkHistory } from './checks.ts';

const K26 = 'model:2.6.20';
const EPOLL = 'model:2.6.20+fs-aio+aio-epoll-wait';
const FALLBACK = `${EPOLL}+aio-fallback-nonblock`;
const HOST = 'host';

const AIO_CHECKS = [
  'one-completion',
  'ring-events',
  'cancellation-safety',
  'exact-count-wakeups',
  'byte-ledger',
  'datagram-ledger',
  'consumed-edges',
  'io-errno',
];

interface Plant {
  readonly rule: string;
  /** On all of them; K26 if absent. */
  readonly on?: readonly string[];
  readonly program: string;
  readonly bad: string;
  readonly finding: string;
  readonly clean: string;
}

const file = 'init:\n  c = io_setup(4)\n  f = open("/tmp/file", O_RDWR)\n';
const pipe = 'init:\n  c = io_setup(4)\n  r, w = pipe2(O_NONBLOCK)\n';
const unix = 'init:\n  c = io_setup(4)\n  s, p = socketpair(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK)\n';
const made = 'init.1 1; init.2 3,4';
const set =
  'init:\n  c = io_setup(4)\n  e = epoll_create(1)\n  r, w = pipe2(O_NONBLOCK)\n  epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)\n';
const setMade = 'init.1 1; init.2 3; init.3 4,5; init.4 0';

/** One thread with these calls. */
const t1 = (...calls: string[]): string => `T1:\n${calls.map((one) => `  ${one}\n`).join('')}`;
const t2 = (...calls: string[]): string => t1(...calls).replace('T1', 'T2');

const submits = 'n = io_submit(c, [a: pwrite(f, "abc")])';
const reaps = (name: string): string => `${name} = io_getevents(c, 1, 4, -1)`;

const plants: readonly Plant[] = [
  {
    rule: 'one-completion: an event is not there twice',
    on: [K26, HOST],
    program: file + t1(submits, reaps('x')) + t2(reaps('y')),
    bad: 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]; T2.1 [a:3]',
    finding: 'DUPLICATE event-twice',
    clean: 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]; T2.1 hang',
  },
  {
    rule: 'one-completion: what was submitted twice may be there twice, but not before',
    program: file + t1(submits, 'm = io_submit(c, [a])', reaps('z')) + t2(reaps('x'), reaps('y')),
    bad: 'init.1 1; init.2 3; T1.1 1; T2.1 [a:3]; T2.2 [a:3]; T1.2 1; T1.3 hang',
    finding: 'DUPLICATE event-twice',
    clean: 'init.1 1; init.2 3; T1.1 1; T2.1 [a:3]; T1.2 1; T2.2 [a:3]; T1.3 hang',
  },
  {
    rule: 'one-completion: no event without a request',
    on: [K26, HOST],
    program: file + t1('n = io_submit(c, [a: pwrite(f, "abc"), b: pwrite(-1, "abc")])', reaps('x')),
    bad: 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3, b:EBADF]',
    finding: 'DUPLICATE never-accepted',
    clean: 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]',
  },
  {
    rule: 'one-completion: a call that never came back may have submitted all of its list',
    program:
      file + t1('n = io_submit(c, [a: pwrite(f, "abc"), b: pwrite(f, "abc")])') + t2(reaps('x')),
    bad: 'init.1 1; init.2 3; T2.1 [b:3]; T1.1 2',
    finding: 'DUPLICATE never-accepted',
    clean: 'init.1 1; init.2 3; T1.1 hang; T2.1 [b:3]',
  },
  {
    rule: 'ring-events: an event that could not be stored is still there',
    on: [K26, HOST],
    program:
      file +
      t1(submits, 'x = io_getevents(c, 1, 1, -1, events=BAD)', 'y = io_getevents(c, 0, 4, 0)'),
    bad: 'init.1 1; init.2 3; T1.1 1; T1.2 EFAULT; T1.3 []',
    finding: 'LOST-EVENT efault',
    clean: 'init.1 1; init.2 3; T1.1 1; T1.2 EFAULT; T1.3 [a:3]',
  },
  {
    rule: 'ring-events: whoever has room finds all that is there',
    on: [K26, HOST],
    program:
      file +
      t1('n = io_submit(c, [a: pwrite(f, "abc"), b: pread(f, 3)])', 'y = io_getevents(c, 1, 2, 0)'),
    bad: 'init.1 1; init.2 3; T1.1 2; T1.2 [a:3]',
    finding: 'LOST-EVENT never-reported',
    clean: 'init.1 1; init.2 3; T1.1 2; T1.2 [a:3, b:"abc"]',
  },
  {
    rule: 'ring-events: no more than was asked for',
    program:
      file +
      t1('n = io_submit(c, [a: pwrite(f, "abc"), b: pread(f, 3)])', 'y = io_getevents(c, 1, 1, 0)'),
    bad: 'init.1 1; init.2 3; T1.1 2; T1.2 [a:3, b:3]',
    finding: 'COUNT over-nr',
    clean: 'init.1 1; init.2 3; T1.1 2; T1.2 [a:3]',
  },
  {
    rule: 'cancellation-safety: it never completes',
    on: [EPOLL],
    program:
      set + t1('n = io_submit(c, [a: epoll_wait(e, 8, -1)])', 'x = io_cancel(c, a)', reaps('y')),
    bad: `${setMade}; T1.1 1; T1.2 [a:0]; T1.3 [a:0]`,
    finding: 'CANCEL also-completes',
    clean: `${setMade}; T1.1 1; T1.2 [a:0]; T1.3 hang`,
  },
  {
    rule: 'cancellation-safety: it is cancelled once',
    on: [EPOLL],
    program:
      set +
      t1('n = io_submit(c, [a: epoll_wait(e, 8, -1)])', 'x = io_cancel(c, a)') +
      t2('y = io_cancel(c, a)'),
    bad: `${setMade}; T1.1 1; T1.2 [a:0]; T2.1 [a:0]`,
    finding: 'CANCEL twice',
    clean: `${setMade}; T1.1 1; T1.2 [a:0]; T2.1 EINVAL`,
  },
  {
    rule: 'cancellation-safety: it was there',
    on: [EPOLL],
    program: set + t1('n = io_submit(c, [a: epoll_wait(e, 8, -1)])') + t2('y = io_cancel(c, a)'),
    bad: `${setMade}; T2.1 [a:0]; T1.1 1`,
    finding: 'CANCEL nothing-there',
    clean: `${setMade}; T1.1 1; T2.1 [a:0]`,
  },
  {
    rule: 'cancellation-safety: it has consumed nothing in silence',
    on: [FALLBACK],
    program:
      pipe +
      t1(
        'n = io_submit(c, [a: pread(r, 8)])',
        'x = write(w, "hello")',
        'y = io_cancel(c, a)',
        'z = read(r, 8)',
      ),
    bad: `${made}; T1.1 1; T1.2 5; T1.3 [a:0]; T1.4 EAGAIN`,
    finding: 'CANCEL consumed',
    clean: `${made}; T1.1 1; T1.2 5; T1.3 [a:5]; T1.4 EAGAIN`,
  },
  {
    rule: 'exact-count-wakeups: nobody sleeps on an event',
    on: [K26, HOST],
    program: file + t1(reaps('x')) + t2(submits),
    bad: 'init.1 1; init.2 3; T2.1 1; T1.1 hang',
    finding: 'WAKEUP reaper',
    clean: 'init.1 1; init.2 3; T2.1 1; T1.1 [a:3]',
  },
  {
    rule: 'exact-count-wakeups: a sleeper has what it took in its hands',
    program:
      file +
      t1('x = io_getevents(c, 2, 4, -1)') +
      t2(submits, 'm = io_submit(c, [b: pread(f, 1)])'),
    bad: 'init.1 1; init.2 3; T2.1 1; T2.2 1; T1.1 hang',
    finding: 'WAKEUP reaper',
    clean: 'init.1 1; init.2 3; T2.1 1; T2.2 0; T1.1 hang',
  },
  {
    rule: 'exact-count-wakeups: min_nr or a reason',
    on: [K26, HOST],
    program: file + t1('x = io_getevents(c, 2, 4, -1)') + t2(submits, 'd = io_destroy(c)'),
    bad: 'init.1 1; init.2 3; T2.1 1; T1.1 [a:3]',
    finding: 'WAKEUP short-return',
    clean: 'init.1 1; init.2 3; T2.1 1; >T1.1; T2.2 0; <T1.1 [a:3]',
  },
  {
    rule: 'exact-count-wakeups: what has an end comes back',
    program: file + t1('x = io_getevents(c, 1, 4, 10)'),
    bad: 'init.1 1; init.2 3; T1.1 hang',
    finding: 'WAKEUP endless',
    clean: 'init.1 1; init.2 3; T1.1 []',
  },
  {
    rule: 'exact-count-wakeups: no signal, no EINTR',
    program: file + t1('x = io_getevents(c, 1, 4, -1)') + t2('kill(T1, SIGUSR1)'),
    bad: 'init.1 1; init.2 3; T1.1 EINTR',
    finding: 'WAKEUP no-signal',
    clean: 'init.1 1; init.2 3; >T1.1; T2.1 0; <T1.1 EINTR',
  },
  {
    rule: 'byte-ledger: a write of something is no write of nothing',
    on: [K26, HOST],
    program: pipe + t1('n = io_submit(c, [a: pwrite(w, "abc")])', reaps('x')),
    bad: `${made}; T1.1 1; T1.2 [a:0]`,
    finding: 'LEDGER zero-write',
    clean: `${made}; T1.1 1; T1.2 [a:3]`,
  },
  {
    rule: 'byte-ledger: no more comes out than was put in',
    on: [K26, HOST],
    program: pipe + t1('n = io_submit(c, [a: pwrite(w, "abc")])', reaps('x'), 'y = read(r, 8)'),
    bad: `${made}; T1.1 1; T1.2 [a:EPIPE]; T1.3 "abc"`,
    finding: 'LEDGER more-than-written',
    clean: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abc"`,
  },
  {
    rule: 'byte-ledger: what was put in comes out in order',
    on: [K26, FALLBACK, HOST],
    program:
      pipe +
      t1(
        'n = io_submit(c, [a: pwrite(w, "abc"), b: pwrite(w, "xy")])',
        reaps('x'),
        'y = read(r, 8)',
      ),
    bad: `${made}; T1.1 2; T1.2 [b:2, a:3]; T1.3 "axybc"`,
    finding: 'LEDGER out-of-order',
    clean: `${made}; T1.1 2; T1.2 [b:2, a:3]; T1.3 "abcxy"`,
  },
  {
    rule: 'byte-ledger: without gaps',
    program: pipe + t1('n = io_submit(c, [a: pwrite(w, "abcd")])', reaps('x'), 'y = read(r, 8)'),
    bad: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abd"`,
    finding: 'LEDGER out-of-order',
    clean: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abc"`,
  },
  {
    rule: 'byte-ledger: nothing gets lost',
    on: [K26, HOST],
    program:
      pipe +
      t1(
        'x = write(w, "abcd")',
        'n = io_submit(c, [a: pread(r, 4)])',
        reaps('y'),
        'z = read(r, 8)',
      ),
    bad: `${made}; T1.1 4; T1.2 1; T1.3 [a:2]; T1.4 EAGAIN`,
    finding: 'LEDGER bytes-lost',
    clean: `${made}; T1.1 4; T1.2 1; T1.3 hang; T1.4 EAGAIN`,
  },
  {
    rule: 'datagram-ledger: one write, one datagram',
    on: [K26, HOST],
    program:
      unix +
      t1('n = io_submit(c, [a: pwrite(s, "abc")])', reaps('x'), 'y = read(p, 8)', 'z = read(p, 8)'),
    bad: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abc"; T1.4 ""`,
    finding: 'LEDGER extra-datagram',
    clean: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abc"; T1.4 EAGAIN`,
  },
  {
    rule: 'datagram-ledger: with its payload',
    on: [K26, HOST],
    program: unix + t1('n = io_submit(c, [a: pwrite(s, "abc")])', reaps('x'), 'y = read(p, 8)'),
    bad: `${made}; T1.1 1; T1.2 [a:3]; T1.3 ""`,
    finding: 'LEDGER payload',
    clean: `${made}; T1.1 1; T1.2 [a:3]; T1.3 "abc"`,
  },
  {
    rule: 'datagram-ledger: as a whole',
    program: unix + t1('n = io_submit(c, [a: pwrite(s, "abc")])', reaps('x')),
    bad: `${made}; T1.1 1; T1.2 [a:2]`,
    finding: 'LEDGER partial-datagram',
    clean: `${made}; T1.1 1; T1.2 [a:EAGAIN]`,
  },
  {
    rule: 'consumed-edges: a cancelled wait takes no edge',
    on: [EPOLL],
    program:
      set +
      t1(
        'n = io_submit(c, [a: epoll_wait(e, 8, -1)])',
        'x = write(w, "a")',
        'y = io_cancel(c, a)',
        'z = epoll_wait(e, 8, 0)',
      ),
    bad: `${setMade}; T1.1 1; T1.2 1; T1.3 [a:0]; T1.4 {}`,
    finding: 'LOST-EDGE consumed-in-silence',
    clean: `${setMade}; T1.1 1; T1.2 1; T1.3 [a:0]; T1.4 {r:IN}`,
  },
  {
    rule: 'consumed-edges: what an event names was reported',
    on: [EPOLL],
    program:
      set +
      t1(
        'n = io_submit(c, [a: epoll_wait(e, 8, -1)])',
        'x = write(w, "a")',
        reaps('y'),
        'z = epoll_wait(e, 8, -1)',
      ),
    bad: `${setMade}; T1.1 1; T1.2 1; T1.3 [a:EFAULT]; T1.4 hang`,
    finding: 'LOST-EDGE consumed-in-silence',
    clean: `${setMade}; T1.1 1; T1.2 1; T1.3 [a:{r:IN}]; T1.4 hang`,
  },
  {
    rule: 'io-errno: a pointer that faults comes first',
    on: [K26, HOST],
    program: 'T1:\n  c = io_setup(0, ctxp=BAD)\n',
    bad: 'T1.1 EINVAL',
    finding: 'COUNT setup-errno',
    clean: 'T1.1 EFAULT',
  },
  {
    rule: 'io-errno: no context for no events',
    on: [K26, HOST],
    program: 'T1:\n  c = io_setup(0)\n',
    bad: 'T1.1 1',
    finding: 'COUNT setup-errno',
    clean: 'T1.1 EINVAL',
  },
  {
    rule: 'io-errno: what stands behind a bad iocb is not accepted',
    on: [K26, HOST],
    program:
      file + t1('n = io_submit(c, [a: pwrite(f, "abc"), b: noop(f), d: pread(f, 1)])', reaps('x')),
    bad: 'init.1 1; init.2 3; T1.1 3; T1.2 [a:3, b:0, d:1]',
    finding: 'COUNT accepted-bad',
    clean: 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]',
  },
  {
    rule: 'io-errno: nobody knows what a block says that another thread fills meanwhile',
    program: file + t1('n = io_submit(c, [a: noop(f)])') + t2('m = io_submit(c, [a: pread(f, 1)])'),
    bad: 'init.1 1; init.2 3; T1.1 1; T2.1 1',
    finding: 'COUNT accepted-bad',
    clean: 'init.1 1; init.2 3; >T1.1; T2.1 1; <T1.1 1',
  },
  {
    rule: 'io-errno: min_nr is at most nr',
    on: [K26, HOST],
    program: file + t1('x = io_getevents(c, 2, 1, 0)'),
    bad: 'init.1 1; init.2 3; T1.1 []',
    finding: 'COUNT getevents-errno',
    clean: 'init.1 1; init.2 3; T1.1 EINVAL',
  },
  {
    rule: 'io-errno: a bad iocb is not looked for',
    on: [K26, HOST],
    program: file + t1('x = io_cancel(c, BAD)'),
    bad: 'init.1 1; init.2 3; T1.1 EINVAL',
    finding: 'COUNT cancel-errno',
    clean: 'init.1 1; init.2 3; T1.1 EFAULT',
  },
  {
    rule: 'io-errno: a context that was destroyed is none',
    on: [K26, HOST],
    program: file + t1('d = io_destroy(c)', 'x = io_getevents(c, 0, 1, 0)'),
    bad: 'init.1 1; init.2 3; T1.1 0; T1.2 []',
    finding: 'COUNT destroyed-context',
    clean: 'init.1 1; init.2 3; T1.1 0; T1.2 EINVAL',
  },
  {
    rule: 'io-errno: nor is it another one (A-B28)',
    program: file + t1('d = io_destroy(c)', submits) + t2('k = io_setup(4)'),
    bad: 'init.1 1; init.2 3; T1.1 0; T2.1 1; T1.2 1',
    finding: 'STALE stale-handle',
    clean: 'init.1 1; init.2 3; T1.1 0; T2.1 1; T1.2 EINVAL',
  },
  {
    rule: 'io-errno: no internal code is a result (A-I25)',
    program: pipe + t1('n = io_submit(c, [a: pread(r, 3)])', reaps('x')),
    bad: `${made}; T1.1 1; T1.2 [a:-512]`,
    finding: 'ACCOUNT A-I25',
    clean: `${made}; T1.1 1; T1.2 [a:EAGAIN]`,
  },
];

for (const plant of plants) {
  t.test(plant.rule, (t) => {
    for (const target of plant.on ?? [K26]) {
      const [bad, program] = historyOf(target, plant.program, plant.bad.split('; '));
      const [clean] = historyOf(target, plant.program, plant.clean.split('; '));
      t.equal(signatures(checkHistory(bad, program)), plant.finding, `${target}: what was planted`);
      t.equal(signatures(checkHistory(clean, program)), '', `${target}: the clean twin`);
    }
    t.end();
  });
}

t.test(
  'every check of AIO has a planted violation, a rule in one sentence and says where it holds',
  (t) => {
    for (const name of AIO_CHECKS) {
      t.ok(
        plants.some((plant) => plant.rule.startsWith(`${name}:`)),
        `${name} has a plant`,
      );
      const check = CHECKS.find((one) => one.name === name);
      t.match(check?.rule, /^[A-Z].*\.$/);
      t.not(check?.promisedOn, '');
    }
    t.end();
  },
);

t.test('where head or tail were written by the program, or a thread died, nothing is said', (t) => {
  const program = file + t1(submits, reaps('x')) + t2('aio_ring(c, tail, 9)', reaps('y'));
  const [tampered, first] = historyOf(
    K26,
    program,
    'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]; T2.1 0; T2.2 [a:3]'.split('; '),
  );
  t.equal(signatures(checkHistory(tampered, first)), '');
  const dies = 'init.1 1; init.2 3; T1.1 1; T1.2 [a:3]; T2.1 killed';
  const [dead, second] = historyOf(
    K26,
    file + t1(submits, reaps('x')) + t2(reaps('y')),
    dies.split('; '),
  );
  t.equal(signatures(checkHistory(dead, second)), '');
  t.end();
});

t.test('a wait that is too short is told by its time', (t) => {
  const program = file + t1('x = io_getevents(c, 1, 4, 100)');
  const [history, parsed] = historyOf(K26, program, ['init.1 1', 'init.2 3', 'T1.1 []']);
  const lasting = (ms: number): string => {
    const calls = history.calls.map((one) => ({ ...one, elapsed: { ms, tickMs: 10 } }));
    return signatures(checkHistory({ ...history, calls }, parsed));
  };
  t.equal(lasting(80), 'WAKEUP early-return');
  t.equal(lasting(90), '');
  t.end();
});
