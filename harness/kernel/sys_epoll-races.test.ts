import t from 'tap';
import { type Kernel } from '../machine/index.ts';
import { EP_ALLOC, EP_FREE } from './drivers/char/eventpoll-device.ts';

import { buildKernel, listKernels, parseKernelSpec } from './series/index.ts';
import {
  V11,
  ACSEM,
  ADDT,
  IN,
  OUT,
  HUP,
  RDNORM,
  O_NONBLOCK,
  ADD,
  DEL,
  MOD,
  ADD_AND_TEST,
  show,
  type Body,
  type Litmus,
  has,
  all,
  alone,
} from './kernel-2.5.44.test-kit.ts';

const registered: Body = function* (u) {
  yield* u.make('A', 10);
  yield* u.pipe('r', 'w');
  yield* u.ctl('A', ADD, 'r', IN);
};

const registrable: Body = function* (u) {
  yield* u.make('A', 10);
  yield* u.pipe('r', 'w');
};

t.test('E-B1: the edge before the callback is lost; testing after it finds it (E-R37)', (t) => {
  const litmus = (op: number): Litmus => ({
    init: registrable,
    threads: [
      function* (u) {
        yield* u.ctl('A', op, 'r', IN);
        yield* u.note('x', u.wait('A', -1));
      },
      (u) => u.note('n', u.write('w', 'a')),
    ],
    names: ['x', 'n'],
  });
  const plain = all(ADDT, litmus(ADD));
  t.same(plain.outcomes, ['x={r:1} n=1', 'x=⊥ n=1']);
  t.equal(plain.end, 'exhausted');
  const tested = all(ADDT, litmus(ADD_AND_TEST));
  t.same(tested.outcomes, ['x={r:1} n=1']);
  t.equal(tested.end, 'exhausted');
  t.notOk(has(tested, 'KASAN'));
  t.end();
});

t.test('E-R35: who reads EAGAIN and then waits gets the event', (t) => {
  const seen = all(V11, {
    init: registered,
    threads: [
      function* (u) {
        const n = yield* u.read('r', 10);
        u.out.y = show(n);
        if (n < 0) yield* u.note('x', u.wait('A', -1));
      },
      (u) => u.note('n', u.write('w', 'a')),
    ],
    names: ['x', 'y', 'n'],
  });
  t.same(
    seen.outcomes,
    ['x={r:1} y=EAGAIN n=1', 'x=⊥ y=1 n=1'],
    'x is ⊥ only because it was not called',
  );
  t.end();
});

t.test('two epoll_ctl() at once: E-B2, E-B3, E-B4, E-B5 on v11, none with acsem', (t) => {
  const pairs: readonly (readonly [string, Litmus, string])[] = [
    [
      'E-B2 MOD and DEL',
      {
        init: registered,
        threads: [
          (u) => u.note('m', u.ctl('A', MOD, 'r', OUT)),
          (u) => u.note('d', u.ctl('A', DEL, 'r')),
        ],
      },
      'KASAN-UAF v11-MO1 / v11-RM6',
    ],
    [
      'E-B3 DEL and DEL',
      {
        init: registered,
        threads: [
          (u) => u.note('c', u.ctl('A', DEL, 'r')),
          (u) => u.note('d', u.ctl('A', DEL, 'r')),
        ],
        names: ['c', 'd'],
      },
      'OOPS v11-RM3',
    ],
    [
      'E-B4 ADD, DEL and a write',
      {
        init: registrable,
        threads: [
          (u) => u.note('a', u.ctl('A', ADD, 'r', IN)),
          (u) => u.note('d', u.ctl('A', DEL, 'r')),
          (u) => u.note('w', u.write('w', 'a')),
        ],
      },
      'KASAN-UAF v11-NP1 / v11-RM6',
    ],
  ];
  for (const [name, litmus, finding] of pairs) {
    const v11 = all(V11, litmus);
    t.equal(v11.end, 'exhausted', name);
    t.ok(has(v11, finding), `${name}: ${[...v11.findings].join(', ')} in ${v11.executions}`);
    const acsem = all(ACSEM, litmus);
    t.equal(acsem.end, 'exhausted');
    t.notOk(
      ['KASAN', 'OOPS', 'DOUBLE', 'LOCKDEP', 'KCSAN', 'HUNG'].some((d) => has(acsem, d)),
      [...acsem.findings].join(', '),
    );
  }
  const twice: Litmus = {
    init: registrable,
    threads: [
      (u) => u.note('a', u.ctl('A', ADD, 'r', IN)),
      (u) => u.note('b', u.ctl('A', ADD, 'r', IN)),
    ],
    names: ['a', 'b'],
  };
  t.same(all(V11, twice).outcomes, ['a=0 b=0', 'a=0 b=EEXIST', 'a=EEXIST b=0'], 'E-B5');
  t.same(all(ACSEM, twice).outcomes, ['a=0 b=EEXIST', 'a=EEXIST b=0']);
  t.end();
});

t.test('create in the open: E-B25 and E-B26', (t) => {
  const b25 = all(V11, {
    *init(u) {
      yield* u.pipe('r', 'w');
    },
    threads: [
      (u) => u.note('A', u.make('A', 10)),
      (u) => u.note('x', u.call('epoll_ctl', 5, ADD, 3, IN)),
    ],
    names: ['A', 'x'],
  });
  t.ok(b25.findings.has('OOPS v11-CT3'), [...b25.findings].join(', '));
  const b26 = all(V11, {
    threads: [(u) => u.note('A', u.make('A', 10)), (u) => u.note('x', u.call('close', 3))],
    names: ['A', 'x'],
  });
  t.ok(has(b26, 'KASAN-UAF v11-EC'), [...b26.findings, ...b26.outcomes, b26.executions].join(', '));
  t.end();
});

t.test(
  'E-B12: close and DEL; E-B15: MOD behind a slot; E-B30: EP_FREE and mmap; E-B35: munmap and wait',
  (t) => {
    const b12 = all(V11, {
      init: registered,
      threads: [
        (u) => u.note('d', u.ctl('A', DEL, 'r')),
        (u) => u.note('c', u.call('close', u.fd.r)),
      ],
    });
    t.ok(has(b12, 'KASAN-UAF v11-RM1 / __fput'), [...b12.findings].join(', '));
    const b30 = all(V11, {
      *init(u) {
        yield* u.open('D', '/dev/epoll', 2);
        yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
      },
      threads: [
        (u) => u.note('f', u.call('ioctl', u.fd.D, EP_FREE, 0)),
        function* (u) {
          u.out.m = String((yield* u.call('mmap', u.fd.D, 8192, 1, 2, 0)) > 0);
        },
      ],
    });
    t.ok(b30.findings.has('INFOLEAK v11-EP_FREE'), [...b30.findings].join(', '));
    const b35 = all(V11, {
      *init(u) {
        yield* registered(u);
        yield* u.write('w', 'a');
      },
      threads: [
        (u) => u.note('x', u.wait('A', -1)),
        function* (u) {
          const range = u.kernel.mm.all().find((r) => r.backing !== null);
          yield* u.call('munmap', range?.start ?? 0);
        },
      ],
      names: ['x'],
    });
    t.ok(b35.findings.has('STALE v11-EW5'), b35.outcomes.join(' / '));
    t.end();
  },
);

t.test(
  'slots and masks that races tear: E-B15, E-B38, E-B44; the resize that is safe (E-N2)',
  (t) => {
    const b15 = alone(V11, function* (u) {
      yield* u.make('A', 10);
      yield* u.pipe('r', 'w');
      yield* u.write('w', 4096);
      yield* u.ctl('A', ADD, 'w', OUT);
      yield* u.read('r', 1);
      yield* u.ctl('A', MOD, 'w', OUT | HUP);
      yield* u.call('close', u.fd.r);
      yield* u.note('x', u.wait('A', 0));
      yield* u.note('y', u.wait('A', 0));
    });
    t.equal(b15.out, 'x={w:4} y=0', 'E-B15');
    const b38 = all(V11, {
      *init(u) {
        yield* registered(u);
        yield* u.pipe('p', 'q');
        yield* u.ctl('A', ADD, 'p', IN);
        yield* u.write('w', 'a');
      },
      threads: [
        (u) => u.note('x', u.wait('A', 0)),
        function* (u) {
          yield* u.write('q', 'a');
          yield* u.note('y', u.wait('A', 0));
          yield* u.read('p', 1);
          yield* u.write('q', 'a');
        },
      ],
    });
    t.ok(
      b38.outcomes.some((o) => o.includes('x={p:1}') && o.includes('y={p:1}')),
      b38.outcomes.join(' / '),
    );
    t.ok(has(b38, 'KCSAN'), [...b38.findings].join(', '));
    const b44 = all(V11, {
      init: registered,
      threads: [
        (u) => u.note('x', u.wait('A', -1)),
        function* (u) {
          const range = u.kernel.mm.all().find((r) => r.backing !== null);
          yield* u.call('munmap', range?.start ?? 0);
          yield* u.write('w', 'a');
        },
      ],
      names: ['x'],
    });
    t.ok(b44.findings.has('STALE v11-EW5'), b44.outcomes.join(' / '));
    const n2 = all(V11, {
      *init(u) {
        yield* u.make('A', 511);
        for (let i = 0; i < 192; i++) {
          yield* u.pipe(`r${i}`, `w${i}`);
          yield* u.ctl('A', ADD, `r${i}`, IN);
          if (i < 191) yield* u.ctl('A', ADD, `w${i}`, IN);
        }
      },
      threads: [
        (u) => u.note('a', u.ctl('A', ADD, 'w191', IN)),
        (u) => u.note('m', u.ctl('A', MOD, 'r7', IN)),
        (u) => u.note('d', u.ctl('A', DEL, 'r9')),
      ],
      names: ['a', 'm', 'd'],
    });
    t.same(n2.outcomes, ['a=0 m=0 d=0']);
    t.equal(n2.end, 'exhausted');
    t.notOk(has(n2, 'KASAN'), `${n2.executions} executions`);
    t.end();
  },
);

t.test('sockets tell by sk_wake_async (E-R19), but not of the local shutdown (E-B24)', (t) => {
  const ALL = 0x7ff;
  const masks = alone(V11, function* (u) {
    yield* u.make('A', 10);
    const pair = function* (a: string, b: string): Kernel<void> {
      yield* u.call('socketpair', 1, 1 | O_NONBLOCK, 0, u.buffer);
      u.fd[a] = Number(u.kernel.mm.load(u.buffer));
      u.fd[b] = Number(u.kernel.mm.load(u.buffer + 4));
      yield* u.ctl('A', ADD, a, ALL);
    };
    yield* pair('s', 'u');
    yield* u.write('u', 'a');
    yield* u.note('in', u.wait('A', 0));
    yield* u.write('s', 'a');
    yield* u.read('u', 5);
    yield* u.note('out', u.wait('A', 0));
    yield* u.call('shutdown', u.fd.s, 2);
    yield* u.note('local', u.wait('A', 0));
    yield* pair('v', 'w');
    yield* u.call('shutdown', u.fd.w, 1);
    yield* u.note('half', u.wait('A', 0));
    yield* u.call('close', u.fd.w);
    yield* u.note('closed', u.wait('A', 0));
    delete u.fd.w;
    u.fd.l = yield* u.call('listen', O_NONBLOCK);
    yield* u.ctl('A', ADD, 'l', ALL);
    u.fd.c = yield* u.call('connect', u.fd.l, O_NONBLOCK);
    u.fd.d = yield* u.call('connect', u.fd.l, O_NONBLOCK);
    yield* u.note('child', u.wait('A', 0));
    u.fd.a = yield* u.call('accept', u.fd.l, O_NONBLOCK);
    yield* u.note('b46', u.wait('A', 0));
    yield* u.ctl('A', ADD, 'a', ALL);
    yield* u.call('shutdown', u.fd.c, 1);
    yield* u.note('fin', u.wait('A', 0));
    yield* u.call('shutdown', u.fd.a, 1);
    yield* u.note('quiet', u.wait('A', 0));
  });
  t.equal(
    masks.out,
    'in={s:65} out={s:772} local=0 half={v:65} closed={v:24} child={l:65} b46=0 fin={a:65} quiet=0',
  );
  t.end();
});

t.test('signals and several waiters (E-R27, E-R28)', (t) => {
  const signal = all(V11, {
    init: registered,
    signals: true,
    threads: [(u) => u.note('x', u.wait('A', -1)), (u) => u.note('k', u.call('kill', 0, 10))],
    names: ['x', 'k'],
  });
  t.same(signal.outcomes, ['x=EINTR k=0']);
  const two = all(V11, {
    init: registered,
    threads: [
      (u) => u.note('x', u.wait('A', -1)),
      (u) => u.note('y', u.wait('A', -1)),
      (u) => u.note('n', u.write('w', 'a')),
    ],
    names: ['x', 'y', 'n'],
  });
  t.same(two.outcomes, ['x={r:1} y=⊥ n=1', 'x=⊥ y={r:1} n=1']);
  t.equal(two.end, 'exhausted');
  const polled = all(V11, {
    init: registered,
    threads: [
      (u) => u.note('p', u.poll('A', IN | RDNORM, -1)),
      (u) => u.note('n', u.write('w', 'a')),
    ],
    names: ['p', 'n'],
  });
  t.same(polled.outcomes, ['p=65 n=1']);
  t.notOk(
    ['KASAN', 'OOPS', 'LOCKDEP', 'KCSAN'].some((d) => has(polled, d)),
    [...polled.findings].join(', '),
  );
  t.end();
});

t.test('E-B13: no memory for the callback is no error', (t) => {
  const seen = all(V11, {
    init: registrable,
    faults: 1,
    threads: [
      function* (u) {
        yield* u.note('a', u.ctl('A', ADD, 'r', IN));
        yield* u.write('w', 'a');
        yield* u.note('x', u.wait('A', 0));
      },
    ],
  });
  t.ok(seen.outcomes.includes('a=0 x=0'), seen.outcomes.join(' / '));
  t.ok(seen.outcomes.includes('a=ENOMEM x=0'));
  t.ok(seen.outcomes.includes('a=0 x={r:1}'));
  t.end();
});

t.test('kernel specs are refused by name, in one line', (t) => {
  t.equal(parseKernelSpec(ACSEM).text, ACSEM);
  t.equal(buildKernel('2.5.44').syscalls.has('epoll_create'), false);
  const wrong: readonly (readonly [string, string])[] = [
    ['2.5.4', 'no base "2.5.4"; did you mean "2.5.44"?'],
    ['', 'no base ""; there is 2.5.44, 2.6.20, 3.1'],
    ['2.6.20+sys_epoll-v11', 'patch "sys_epoll-v11" applies to 2.5.44 only'],
    ['2.5.44+sys_epoll-v12', 'no patch "sys_epoll-v12"; did you mean "sys_epoll-v11"?'],
    ['2.5.44+epoll-acsem', 'patch "epoll-acsem" needs "sys_epoll-v11" before it'],
    [`${V11}+sys_epoll-v11`, 'patch "sys_epoll-v11" is there twice; leave one out'],
    [`${V11}+`, 'no patch ""; there is sys_epoll-v11, epoll-acsem, epoll-add-and-test'],
  ];
  for (const [spec, message] of wrong) {
    const error = t.throws(() => parseKernelSpec(spec));
    t.match(String(error instanceof Error ? error.message : error), message);
  }
  t.ok(listKernels().some((k) => k.spec === ADDT && k.seed !== null));
  for (const { spec } of listKernels()) t.equal(buildKernel(spec).spec, spec);
  t.end();
});
