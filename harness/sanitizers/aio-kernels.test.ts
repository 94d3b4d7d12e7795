import t from 'tap';
import { checkHistory } from '../check/checks.ts';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from '../target/model.ts';

const BASE = '2.6.20';
const EPOLL = '2.6.20+fs-aio+aio-epoll-wait';
const FALLBACK = `${EPOLL}+aio-fallback-nonblock`;
const BATCH = '3.1+kiocb-batch-v3';
const ACCOUNT = `${BATCH}+batch-accounting-fix`;
const WAKEUP = `${ACCOUNT}+batch-wakeup-fix`;

/** What the observers of AIO and the checks find on every schedule, but for what others find as well. */
function found(kernel: string, text: string): string {
  const program = parseProgram(text, 'test.prog');
  const { findings, complete, broken } = modelTarget(kernel).run(program, { checks: checkHistory });
  if (!complete) return broken ?? 'incomplete';
  const others = /^(KASAN|KCSAN|OOPS|HUNG|LEAK|DOUBLE)/;
  return findings
    .map(({ finding }) => `${finding.detector} ${finding.site}`)
    .filter((one) => !others.test(one))
    .sort()
    .join('; ');
}

const file = 'init:\n  c = io_setup(4)\n  f = open("/tmp/file", O_RDWR)\n';
const set =
  'init:\n  c = io_setup(4)\n  e = epoll_create(1)\n  r, w = pipe2(O_NONBLOCK)\n  epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)\n';
const submits = 'n = io_submit(c, [a: pwrite(f, "abc")])';

function threads(...calls: readonly (readonly string[])[]): string {
  return calls
    .map((list, at) => `T${at + 1}:\n${list.map((one) => `  ${one}\n`).join('')}`)
    .join('');
}

const destroys =
  file +
  threads(['n = io_submit(c, [a: pwrite(f, "abc"), b: pread(99, 1)])'], ['d = io_destroy(c)']);

/** Bugs of the catalogue, the kernels that have them, and what is said there. */
const rows: readonly (readonly [bug: string, kernel: string, program: string, finding: string])[] =
  [
    [
      'A-B1: the wake-up for an event goes to a reaper that a signal takes away',
      BASE,
      file +
        threads(
          ['x = io_getevents(c, 1, 1, -1)'],
          ['y = io_getevents(c, 1, 1, -1)'],
          [submits, 'kill(T1, SIGUSR1)'],
        ),
      'WAKEUP reaper',
    ],
    [
      'A-B2, A-B3: an event that faults is out of the ring, and those before it are not counted',
      BASE,
      file +
        threads([
          'n = io_submit(c, [a: pwrite(f, "abc"), b: pread(f, 3)])',
          'x = io_getevents(c, 2, 2, -1, events=mapped(1))',
          'y = io_getevents(c, 0, 8, 0)',
        ]),
      'COUNT A-R53; LOST-EVENT A-I6 / efault; LOST-EVENT efault',
    ],
    [
      'A-B10: nobody tells a reaper that its context is destroyed',
      BASE,
      file + threads(['x = io_getevents(c, 1, 1, -1)'], ['d = io_destroy(c)']),
      'WAKEUP destroyed',
    ],
    [
      'A-B10 is fixed in 3.1',
      '3.1',
      file + threads(['x = io_getevents(c, 1, 1, -1)'], ['d = io_destroy(c)']),
      '',
    ],
    [
      'A-B14: a tail that user space has written is believed',
      BASE,
      file + threads(['t = aio_ring(c, tail, 9)', 'x = io_getevents(c, 0, 2, 0)']),
      'DUPLICATE A-I4',
    ],
    [
      'A-B16: the end of a context unmaps what is not its ring',
      BASE,
      file + threads(['u = munmap(c)', 'm = mmap(at=c)', 'd = io_destroy(c)']),
      'FOREIGN ring-unmap',
    ],
    [
      'A-B17: after fork the program does not see what the kernel writes',
      BASE,
      file + threads([submits, 'k = fork()', 'x = aio_ring_reap(c)', 'm = io_submit(c, [a])']),
      'STALE ring-hidden',
    ],
    [
      'A-B18, A-B24: a method blocks in io_submit, and its restart code gets out',
      BASE,
      'init:\n  c = io_setup(4)\n  r, w = pipe()\n' +
        threads(
          ['n = io_submit(c, [a: pread(r, 3)])', 'x = io_getevents(c, 0, 8, -1)'],
          ['kill(T1, SIGUSR1)'],
        ),
      'ACCOUNT A-I25; LATENCY A-R63',
    ],
    [
      'A-B19: a write that was whole answers 0',
      BASE,
      'init:\n  c = io_setup(4)\n  r, w = pipe2(O_NONBLOCK)\n' +
        threads([
          'n = io_submit(c, [a: pwrite(w, "abc")])',
          'x = io_getevents(c, 1, 8, -1)',
          'y = read(r, 8)',
        ]),
      'LEDGER A-I23 / count; LEDGER more-than-written; LEDGER zero-write',
    ],
    [
      'A-B21: a datagram comes with an empty one',
      BASE,
      'init:\n  c = io_setup(4)\n  s, p = socketpair(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK)\n' +
        threads([
          'n = io_submit(c, [a: pwrite(s, "abc")])',
          'x = io_getevents(c, 1, 8, -1)',
          'y = read(p, 8)',
          'z = read(p, 8)',
        ]),
      'LEDGER A-I23 / count; LEDGER A-I24 / extra-datagram; LEDGER extra-datagram; LEDGER zero-write',
    ],
    [
      'A-B31: EAGAIN although a slot is free',
      BASE,
      'ring: 2\n' +
        file +
        threads([submits], ['x = io_getevents(c, 1, 1, -1)', 'm = io_submit(c, [b: pread(f, 1)])']),
      'COUNT A-R30',
    ],
    [
      'A-B37: a task that has run a request has no wait entry for its own epoll_wait',
      EPOLL,
      set + threads(['n = io_submit(c, [a: pread(r, 1)])', 'z = epoll_wait(e, 8, -1)']),
      'ACCOUNT A-I13',
    ],
    [
      'A-B4, A-B40: a wait that was cancelled has an event, or has taken an edge off',
      EPOLL,
      set +
        '  n = io_submit(c, [a: epoll_wait(e, 8, -1)])\n' +
        threads(['x = io_cancel(c, a)'], ['y = write(w, "a")', 'g = io_getevents(c, 1, 8, 0)']),
      'CANCEL also-completes; CANCEL consumed / A-I22; DUPLICATE A-I6 / cancel-and-event',
    ],
    [
      'A-B5: a cancellation that faults is the end of the request and reported nowhere',
      EPOLL,
      set +
        threads([
          'n = io_submit(c, [a: epoll_wait(e, 8, -1)])',
          'x = io_cancel(c, a, result=BAD)',
          'g = io_getevents(c, 1, 8, 300)',
        ]),
      'LOST-EVENT A-I6 / cancel-failed',
    ],
    [
      'A-B6: a request is cancelled twice',
      EPOLL,
      set +
        '  n = io_submit(c, [a: epoll_wait(e, 8, -1)])\n' +
        threads(['x = io_cancel(c, a)'], ['y = io_cancel(c, a)']),
      'CANCEL twice; DUPLICATE A-I6 / cancel-twice',
    ],
    [
      'A-B44: a long wait is cut off',
      EPOLL,
      set +
        threads([
          'n = io_submit(c, [a: epoll_wait(e, 8, 0, offset=4294967301)])',
          'g = io_getevents(c, 1, 8, -1)',
        ]),
      'LATENCY early',
    ],
    [
      'A-B50: one event runs every wait',
      EPOLL,
      set +
        '  n = io_submit(c, [a: epoll_wait(e, 8, -1), b: epoll_wait(e, 8, -1)])\n' +
        threads(['y = write(w, "a")', 'g = io_getevents(c, 1, 8, -1)']),
      'WAKEUP herd',
    ],
    [
      'A-B56: a read that was cancelled has taken bytes',
      FALLBACK,
      'init:\n  c = io_setup(4)\n  r, w = pipe()\n  n = io_submit(c, [a: pread(r, 8)])\n' +
        threads(['x = io_cancel(c, a)'], ['y = write(w, "abc")', 'g = io_getevents(c, 1, 8, 0)']),
      'CANCEL also-completes; CANCEL consumed / A-I23; DUPLICATE A-I6 / cancel-and-event',
    ],
    [
      'A-B55: a read that was cancelled stays registered',
      FALLBACK,
      'init:\n  c = io_setup(4)\n  r, w = pipe()\n  n = io_submit(c, [a: pread(r, 1)])\n' +
        threads(
          ['x = io_cancel(c, a)'],
          ['y = write(w, "a")', 'z = read(r, 1)', 'g = io_getevents(c, 1, 1, 0)'],
        ),
      'CANCEL holds; LIVELOCK A-R37; WAKEUP herd',
    ],
    [
      'A-B92: a batch admits more than the ring can take',
      BATCH,
      `long-bits: 64\nring: 2\n${file}${threads([submits], ['m = io_submit(c, [b: pread(f, 1)])'])}`,
      'ACCOUNT A-I3; LOST-EVENT A-I4 / ring-empty',
    ],
    [
      'A-B89: a batch leaks into the account',
      BATCH,
      destroys,
      'ACCOUNT A-I1; ACCOUNT A-I16; ACCOUNT A-I2',
    ],
    ['A-B91: giving a batch back wakes nobody', ACCOUNT, destroys, 'WAKEUP destroyer'],
    ['A-B91 is fixed, and nothing is left to say', WAKEUP, destroys, ''],
  ];

for (const [bug, kernel, program, finding] of rows) {
  t.test(bug, (t) => {
    t.equal(found(kernel, program), finding);
    t.end();
  });
}

/** Requests that come and go in all ordinary ways, alone and against io_destroy and exit. */
const ordinary: readonly string[] = [
  file +
    threads([submits, 'x = io_getevents(c, 1, 4, -1)', 'y = io_cancel(c, a)', 'd = io_destroy(c)']),
  file + threads([submits], ['x = io_getevents(c, 0, 8, 0)']),
  file + threads([submits, 'd = io_destroy(c)', 'k = io_destroy(c)']),
  `ring: 4\n${file}${threads([
    'n = io_submit(c, [a: pwrite(f, "abc"), b: pread(f, 3), d: pread(f, 3), g: pread(f, 1)])',
    'x = aio_ring_reap(c)',
    'y = io_getevents(c, 1, 1, 0)',
    'm = io_submit(c, [g, a])',
    'z = io_getevents(c, 0, 8, 0)',
  ])}`,
  file +
    threads([
      submits,
      'x = close(f)',
      'm = io_submit(c, [b: pread(f, 1), BAD])',
      'y = io_getevents(c, 1, 8, 10)',
    ]),
];

t.test('of ordinary programs nothing is said on plain kernels', (t) => {
  for (const kernel of [BASE, '3.1', WAKEUP])
    for (const program of ordinary) t.equal(found(kernel, program), '', kernel);
  t.end();
});
