import t from 'tap';
import { engine, type Kernel } from '../machine/index.ts';
import { maxTimeoutMs, timeoutTicks } from './fs/eventpoll-wait.ts';
import { kernelConfig } from './kernel.ts';
import {
  IN,
  OUT,
  ET,
  ONESHOT,
  ADD,
  DEL,
  MOD,
  EVENT_SIZE,
  show,
  Libc,
  type Seen,
  run,
  sequence,
} from './kernel-2.6.20.test-kit.ts';

t.test('epoll_create takes any positive size', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.note('minus', u.make('A', 'epoll_create', -1));
    yield* u.note('zero', u.make('A', 'epoll_create', 0));
    yield* u.note('one', u.make('A', 'epoll_create', 1));
    yield* u.note('many', u.make('B', 'epoll_create', 2 ** 30));
    yield* u.note('read', u.read('A', 1));
    yield* u.note('write', u.write('A', 'x'));
  });
  t.same(lines, ['minus=EINVAL', 'zero=EINVAL', 'one=ok', 'many=ok', 'read=EINVAL', 'write=EBADF']);
});

t.test('epoll_ctl tests its arguments in the order of the kernel', async (t) => {
  const lines = sequence(function* (u) {
    const bad = (op: number, epfd: string | number, fd: string | number): Kernel<string> =>
      (function* () {
        return show(yield* u.call('epoll_ctl', u.number(epfd), op, u.number(fd), 0x1000));
      })();
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.open('f', '/tmp/file', 2);
    yield* u.note('event before epfd', bad(ADD, -1, 'r'));
    yield* u.note('no event for DEL', bad(DEL, 'A', 'r'));
    yield* u.note('epfd before fd', u.ctl(-1, ADD, -1));
    yield* u.note('fd before its type', u.ctl('f', ADD, 99));
    yield* u.note('type of fd before epfd', u.ctl('r', ADD, 'f'));
    yield* u.note('regular file', u.ctl('A', DEL, 'f'));
    yield* u.note('itself', u.ctl('A', ADD, 'A', IN));
    yield* u.note('epfd is a pipe', u.ctl('r', ADD, 'w', IN));
    yield* u.note('MOD of nothing', u.ctl('A', MOD, 'r', IN));
    yield* u.note('unknown op', u.ctl('A', 99, 'r', IN));
    yield* u.note('add', u.ctl('A', ADD, 'r', IN));
    yield* u.note('again', u.ctl('A', ADD, 'r', IN));
  });
  t.same(lines, [
    'event before epfd=EFAULT',
    'no event for DEL=ENOENT',
    'epfd before fd=EBADF',
    'fd before its type=EBADF',
    'type of fd before epfd=EPERM',
    'regular file=EPERM',
    'itself=EINVAL',
    'epfd is a pipe=EINVAL',
    'MOD of nothing=ENOENT',
    'unknown op=EINVAL',
    'add=0',
    'again=EEXIST',
  ]);
});

t.test('epoll_wait tests its arguments in the order of the kernel', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'w', OUT);
    yield* u.note('max before buffer', u.wait('A', 0, 0, 0xd0000000));
    yield* u.note('too many', u.wait('A', 178956971, 0));
    yield* u.note('range before epfd', u.wait(-1, 1, 0, 0xd0000000));
    yield* u.note('epfd', u.wait(-1, 1, 0));
    yield* u.note('not a set', u.wait('r', 1, 0));
    yield* u.note('unmapped', u.wait('A', 1, 0, 0x1000));
    yield* u.note('still there', u.wait('A', 1, 0));
  });
  t.same(lines, [
    'max before buffer=EINVAL',
    'too many=EINVAL',
    'range before epfd=EFAULT',
    'epfd=EBADF',
    'not a set=EINVAL',
    'unmapped=EFAULT',
    'still there=w:OUT',
  ]);
});

t.test(
  'a level-triggered item is reported until it is not ready, an edge-triggered one once per wake',
  async (t) => {
    const lines = sequence(function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.make('A', 'epoll_create', 1);
      yield* u.make('B', 'epoll_create', 1);
      yield* u.ctl('A', ADD, 'r', IN);
      yield* u.ctl('B', ADD, 'r', IN | ET);
      yield* u.write('w', 'ab');
      yield* u.note('LT 1', u.wait('A', 8, 0));
      yield* u.note('ET 1', u.wait('B', 8, 0));
      yield* u.note('LT 2', u.wait('A', 8, 0));
      yield* u.note('ET 2', u.wait('B', 8, 0));
      yield* u.write('w', 'c');
      yield* u.note('ET 3', u.wait('B', 8, 0));
      yield* u.ctl('B', MOD, 'r', IN | ET);
      yield* u.note('ET after MOD', u.wait('B', 8, 0));
      yield* u.read('r', 10);
      yield* u.note('LT 3', u.wait('A', 8, 0));
      yield* u.note('ET 4', u.wait('B', 8, 0));
    });
    t.same(lines, [
      'LT 1=r:IN',
      'ET 1=r:IN',
      'LT 2=r:IN',
      'ET 2=0',
      'ET 3=r:IN',
      'ET after MOD=r:IN',
      'LT 3=0',
      'ET 4=0',
    ]);
  },
);

t.test('a one-shot item reports once per arm, HUP included', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'r', IN | ONESHOT);
    yield* u.write('w', 'a');
    yield* u.note('first', u.wait('A', 8, 0));
    yield* u.write('w', 'b');
    yield* u.close('w');
    yield* u.note('disarmed', u.wait('A', 8, 0));
    yield* u.ctl('A', MOD, 'r', IN | ONESHOT);
    yield* u.note('armed', u.wait('A', 8, 0));
    yield* u.note('disarmed again', u.wait('A', 8, 0));
  });
  t.same(lines, ['first=r:IN', 'disarmed=0', 'armed=r:IN|HUP', 'disarmed again=0']);
});

t.test(
  'a batch is newest first, level-triggered items alternate, and none is starved',
  async (t) => {
    const lines = sequence(function* (u) {
      for (const n of ['1', '2', '3']) {
        yield* u.pipe(`r${n}`, `w${n}`);
      }
      yield* u.make('A', 'epoll_create', 1);
      for (const n of ['1', '2', '3']) yield* u.ctl('A', ADD, `r${n}`, IN);
      yield* u.write('w1', 'a');
      yield* u.write('w2', 'a');
      yield* u.note('1', u.wait('A', 8, 0));
      yield* u.note('2', u.wait('A', 8, 0));
      yield* u.write('w3', 'a');
      yield* u.note('3', u.wait('A', 1, 0));
      yield* u.note('4', u.wait('A', 1, 0));
      yield* u.note('5', u.wait('A', 1, 0));
      yield* u.note('6', u.wait('A', 1, 0));
    });
    t.same(lines, ['1=r2:IN r1:IN', '2=r1:IN r2:IN', '3=r1:IN', '4=r2:IN', '5=r3:IN', '6=r1:IN']);
  },
);

t.test('the key of an item is file and number', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.make('d', 'dup', u.fd.r);
    yield* u.note('dup is another item', u.ctl('A', ADD, 'd', IN));
    yield* u.write('w', 'a');
    yield* u.close('r');
    yield* u.note('outlives its number', u.wait('A', 8, 0));
    yield* u.note('cannot be named', u.ctl('A', DEL, 'r'));
    yield* u.close('d');
    yield* u.note('gone with the file', u.wait('A', 8, 0));
    yield* u.pipe('r2', 'w2');
    yield* u.note('number used again', u.ctl('A', ADD, 'r2', IN));
  });
  t.same(lines, [
    'dup is another item=0',
    'outlives its number=r:IN d:IN',
    'cannot be named=EBADF',
    'gone with the file=0',
    'number used again=0',
  ]);
});

t.test(
  'a set is readable to poll and to an outer set, and is not consumed by either',
  async (t) => {
    const lines = sequence(function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.make('A', 'epoll_create', 1);
      yield* u.make('B', 'epoll_create', 1);
      yield* u.ctl('A', ADD, 'r', IN);
      yield* u.ctl('B', ADD, 'A', IN);
      yield* u.note('before', u.poll('A', IN, 0));
      yield* u.write('w', 'a');
      yield* u.note('poll', u.poll('A', IN, 0));
      yield* u.note('outer', u.wait('B', 8, 0));
      yield* u.note('inner', u.wait('A', 8, 0));
      yield* u.close('A');
      yield* u.note('inner closed', u.wait('B', 8, 0));
    });
    t.same(lines, ['before=0', 'poll=IN', 'outer=A:IN', 'inner=r:IN', 'inner closed=0']);
  },
);

t.test('a stale item at the head hides a ready one from a wait without time (E-B49)', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.pipe('s', 'v');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.ctl('A', ADD, 's', IN);
    yield* u.write('w', 'a');
    yield* u.note('1', u.wait('A', 1, 0));
    yield* u.read('r', 10);
    yield* u.write('v', 'a');
    yield* u.note('2', u.wait('A', 1, 0));
    yield* u.note('3', u.wait('A', 1, 0));
    yield* u.write('w', 'a');
    yield* u.read('r', 10);
    yield* u.note('with time', u.wait('A', 1, 5));
  });
  t.same(lines, ['1=r:IN', '2=0', '3=s:IN', 'with time=s:IN']);
});

t.test(
  'a fault loses edge-triggered and one-shot events, and puts level-triggered ones back (E-B52)',
  async (t) => {
    const lines = sequence(function* (u) {
      const half = u.kernel.mm.mapAt(0x20000000, EVENT_SIZE, true, true).start;
      for (const n of ['1', '2', '3']) yield* u.pipe(`r${n}`, `w${n}`);
      yield* u.make('A', 'epoll_create', 1);
      yield* u.ctl('A', ADD, 'r1', IN);
      yield* u.ctl('A', ADD, 'r2', IN | ET);
      yield* u.ctl('A', ADD, 'r3', IN | ONESHOT);
      for (const n of ['1', '2', '3']) yield* u.write(`w${n}`, 'a');
      yield* u.note('fault', u.wait('A', 8, 0, half));
      yield* u.note('left', u.wait('A', 8, 0));
    });
    t.same(lines, ['fault=EFAULT', 'left=r1:IN']);
  },
);

t.test('a stale item makes the set readable, until a wait finds nothing (E-B53)', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.write('w', 'a');
    yield* u.wait('A', 8, 0);
    yield* u.read('r', 10);
    yield* u.note('poll', u.poll('A', IN, 0));
    yield* u.note('wait', u.wait('A', 8, 0));
    yield* u.note('then', u.poll('A', IN, 0));
  });
  t.same(lines, ['poll=IN', 'wait=0', 'then=0']);
});

t.test('two sets in each other keep each other readable (E-B54)', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.make('B', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 'B', IN);
    yield* u.ctl('B', ADD, 'A', IN);
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.write('w', 'a');
    yield* u.read('r', 10);
    yield* u.ctl('A', DEL, 'r');
    for (const n of ['1', '2', '3']) {
      yield* u.note(`A${n}`, u.wait('A', 8, 0));
      yield* u.note(`B${n}`, u.wait('B', 8, 0));
    }
  });
  // Each queue is woken under the other. It cannot deadlock: a queue that is being woken is left alone.
  t.same(lines, [
    'A1=B:IN',
    'B1=A:IN',
    'A2=B:IN',
    'B2=A:IN',
    'A3=B:IN',
    'B3=A:IN',
    'LOCKDEP ep.poll_wait.lock#1 / ep.poll_wait.lock#2',
  ]);
});

t.test('the sixth nested wake-up of a task is dropped (E-B51)', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('e1', 'epoll_create', 1);
    yield* u.ctl('e1', ADD, 'r', IN);
    for (let n = 2; n <= 7; n++) {
      yield* u.make(`e${n}`, 'epoll_create', 1);
      yield* u.ctl(`e${n}`, ADD, `e${n - 1}`, IN);
    }
    yield* u.write('w', 'a');
    yield* u.note('e6', u.poll('e6', IN, 0));
    yield* u.note('e7', u.poll('e7', IN, 0));
  });
  t.same(lines, ['e6=IN', 'e7=0']);
});

t.test('timeouts are rounded up to ticks, and long ones are for ever', async (t) => {
  const table: [number, number, number][] = [];
  for (const hz of [100, 250, 1000]) {
    kernelConfig.hz = hz;
    table.push([hz, timeoutTicks(1), maxTimeoutMs()]);
    t.equal(timeoutTicks(maxTimeoutMs()), Infinity);
    t.equal(timeoutTicks(-5), Infinity);
    t.equal(timeoutTicks(0), 0);
  }
  t.same(table, [
    [100, 1, 21474826],
    [250, 1, 8589930],
    [1000, 1, 2147482],
  ]);
  kernelConfig.longBits = 64;
  t.equal(timeoutTicks(0x7fffffff), 0x7fffffff);
  kernelConfig.longBits = 32;
});

t.test('an epoll_wait and a poll with nothing to report return after their time', async (t) => {
  const lines = sequence(
    function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.make('A', 'epoll_create', 1);
      yield* u.ctl('A', ADD, 'r', IN);
      yield* u.note('wait', u.wait('A', 8, 25));
      u.out.set('ticks', String(engine.jiffies));
      yield* u.note('poll', u.poll('r', IN, 11));
      u.out.set('later', String(engine.jiffies));
    },
    { hz: 100 },
  );
  t.same(lines, ['wait=0', 'ticks=3', 'poll=0', 'later=5']);
});

t.test(
  'one write wakes every sleeper of a set; a level-triggered item is for all, an edge-triggered one for one',
  async (t) => {
    const waiters = (events: number): Seen =>
      run({
        *init(u) {
          yield* u.pipe('r', 'w');
          yield* u.make('A', 'epoll_create', 1);
          yield* u.ctl('A', ADD, 'r', events);
        },
        threads: [
          (u) => u.note('x', u.wait('A', 8, -1)),
          (u) => u.note('y', u.wait('A', 8, -1)),
          (u) => u.note('z', u.write('w', 'a')),
        ],
      });

    const level = waiters(IN);
    t.same(level.outcomes, ['x=r:IN, y=r:IN, z=1']);
    const edge = waiters(IN | ET);
    t.same(edge.outcomes, ['x=r:IN, z=1', 'y=r:IN, z=1']);
    // While one waiter has the item in hand the other finds nothing to take, but then it is off the list: no spin.
    t.same([...level.findings, ...edge.findings], []);
  },
);

t.test(
  'a collector spins while another has the only item in hand and it is ready again (E-B47)',
  async (t) => {
    const seen = run({
      *init(u) {
        yield* u.pipe('r', 'w');
        yield* u.make('A', 'epoll_create', 1);
        yield* u.ctl('A', ADD, 'r', IN);
        yield* u.write('w', 'a');
      },
      threads: [
        (u) => u.note('x', u.wait('A', 1, -1)),
        (u) => u.note('n', u.write('w', 'b')),
        (u) => u.note('y', u.wait('A', 1, -1)),
      ],
    });

    t.same(seen.findings, ['SOFT-LOCKUP 2.6-LP11']);
    t.same(seen.outcomes, ['n=1, x=r:IN, y=r:IN']);
  },
);

t.test(
  'a blocked wait is ended by a signal, and keeps the set alive that another thread closes',
  async (t) => {
    const seen = run({
      signals: true,
      *init(u) {
        yield* u.make('A', 'epoll_create', 1);
      },
      threads: [
        (u) => u.note('x', u.wait('A', 8, -1)),
        function* (u) {
          yield* u.note('c', u.close('A'));
          yield* u.call('kill', 0, 10);
        },
      ],
    });

    t.same(seen.outcomes, ['c=0, x=EBADF', 'c=0, x=EINTR']);
    t.same(seen.findings, []);
  },
);

t.test('closing a registered file against MOD, DEL and a wait leaves nothing behind', async (t) => {
  for (const rival of [
    (u: Libc): Kernel<string> => u.ctl('A', MOD, 'r', IN),
    (u: Libc): Kernel<string> => u.ctl('A', DEL, 'r'),
    (u: Libc): Kernel<string> => u.wait('A', 8, 0),
  ]) {
    const seen = run({
      *init(u) {
        yield* u.pipe('r', 'w');
        yield* u.make('A', 'epoll_create', 1);
        yield* u.ctl('A', ADD, 'r', IN);
        yield* u.write('w', 'a');
      },
      threads: [(u) => u.note('x', rival(u)), (u) => u.note('y', u.close('r'))],
    });

    t.same(seen.findings, []);
    t.equal(seen.outcomes.length, 2);
  }
});

t.test(
  'the last close of a set and of its target at once: only the lock of the freed file is touched (E-B57)',
  async (t) => {
    const seen = run({
      *init(u) {
        yield* u.pipe('r', 'w');
        yield* u.make('A', 'epoll_create', 1);
        yield* u.ctl('A', ADD, 'r', IN);
      },
      threads: [(u) => u.note('x', u.close('A')), (u) => u.note('y', u.close('r'))],
    });

    t.same(seen.outcomes, ['x=0, y=0']);
    t.equal(seen.findings.length, 1);
    t.match(seen.findings[0], /^KASAN-UAF 2\.6-RM2/);
  },
);

t.test('epoll_ctl undoes an ADD that runs out of memory', async (t) => {
  const seen = run({
    faults: 1,
    *init(u) {
      yield* u.pipe('r', 'w');
      yield* u.make('A', 'epoll_create', 1);
    },
    threads: [
      function* (u) {
        yield* u.note('a', u.ctl('A', ADD, 'r', IN));
        yield* u.write('w', 'a');
        yield* u.note('b', u.wait('A', 8, 0));
      },
    ],
  });

  t.ok(seen.outcomes.includes('a=ENOMEM, b=0'));
  t.ok(seen.outcomes.includes('a=0, b=r:IN'));
  t.same(seen.findings, []);
});
