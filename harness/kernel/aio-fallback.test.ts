import t, { type Test } from 'tap';
import {
  PF,
  explored,
  type AioBody,
  type AioLitmus,
  type AioSeen,
  type Request,
} from './aio-epoll.test-kit.ts';
import { O_NONBLOCK, SOCK_STREAM } from './kernel-2.6.20.test-kit.ts';

/** A context and a blocking pipe. */
function* pipe(...[u]: Parameters<AioBody>): ReturnType<AioBody> {
  yield* u.setup('c');
  yield* u.pipe('r', 'w', 0);
}

function* sockets(...[u]: Parameters<AioBody>): ReturnType<AioBody> {
  yield* u.setup('c');
  yield* u.pair('s', 't', SOCK_STREAM);
}

/** Two descriptors of one device. */
function device(path: string, flags = 2): AioBody {
  return function* (u) {
    yield* u.setup('c');
    yield* u.open('d', path, flags);
    yield* u.open('e', path, flags);
  };
}

function reading(nbytes: number, fd = 'r'): Request {
  return { op: 'read', fd, nbytes };
}

function writing(text: string, fd = 'w'): Request {
  return { op: 'write', fd, text };
}

function seen(init: AioBody, threads: readonly AioBody[], rest: Partial<AioLitmus> = {}): AioSeen {
  return explored({ kernel: PF, init, threads, ...rest });
}

function has(t: Test, what: AioSeen, ...findings: readonly string[]): void {
  for (const finding of findings) t.ok(what.findings.includes(finding), finding);
}

t.test('reads and writes that would wait are run again when the file is woken', async (t) => {
  const read = seen(pipe, [
    function* (u) {
      yield* u.note('s', u.sub('c', 'a', reading(8)));
      yield* u.note('none', u.get('c', 0, 1));
      yield* u.write('w', 'abc');
      yield* u.note('g', u.get('c', 1, 1));
      yield* u.note('end', u.sub('c', 'b', reading(8)));
      yield* u.close('w');
      yield* u.note('g0', u.get('c', 1, 1));
    },
  ]);
  t.same(read.outcomes, ['end=1, g=a:3, g0=b:0, none=0, s=1']);
  const write = seen(pipe, [
    function* (u) {
      yield* u.note('s', u.sub('c', 'a', writing('x'.repeat(65540))));
      yield* u.note('s2', u.sub('c', 'b', writing('yy')));
      yield* u.note('r', u.read('r', 65536));
      yield* u.note('g', u.get('c', 2, 2));
      yield* u.note('r2', u.read('r', 8));
    },
  ]);
  t.same(write.outcomes.length, 1);
  t.match(write.outcomes[0], /g=[ab]:\d+ [ab]:\d+, r=65536, r2="xxxxyy"|r2="yyxxxx"/, 'A-B68');
});

t.test('a request may end with its entry queued', async (t) => {
  for (const [init, fd, other] of [
    [pipe, 'r', 'w'],
    [sockets, 's', 't'],
  ] as const) {
    const two = seen(init, [
      function* (u) {
        yield* u.sub('c', 'a', reading(1, fd));
        yield* u.note('g', u.get('c', 1, 1));
      },
      function* (u) {
        yield* u.write(other, 'ab');
      },
    ]);
    has(t, two, 'OOPS aio_run_iocb-6');
    t.ok(two.outcomes.includes('g=a:1'), 'A-L27, A-B53');
    // And a wake-up that has just taken the entry off may find the request gone.
    has(t, two, 'KASAN-UAF kick_iocb-1 / really_put_req');
  }
});

t.test('a request is kicked while it runs and registers again', async (t) => {
  const kicked = seen(
    pipe,
    [
      function* (u) {
        yield* u.sub('c', 'a', reading(1));
        yield* u.note('g', u.get('c', 1, 1, 5));
      },
      function* (u) {
        yield* u.write('w', 'a');
        yield* u.write('w', 'ab');
      },
      (u) => u.note('steal', u.read('r', 1)),
    ],
    { runs: 2000, until: 'OOPS aio_run_iocb-6' },
  );
  has(t, kicked, 'OOPS aio_run_iocb-6');
  const freed = seen(
    pipe,
    [
      (u) => u.note('s', u.sub('c', 'a', reading(1))),
      function* (u) {
        yield* u.write('w', 'a');
        yield* u.note('steal', u.read('r', 1));
      },
      (u) => u.note('cancel', u.cancel('c', 'a')),
    ],
    { runs: 20000, until: 'ACCOUNT A-I8', stays: true },
  );
  has(t, freed, 'ACCOUNT A-I8');
});

t.test('io_cancel may leave the request where it was, or lose what it moved', async (t) => {
  const zombie = seen(pipe, [
    (u) => u.note('s', u.sub('c', 'a', reading(1))),
    (u) => u.note('cancel', u.cancel('c', 'a')),
  ]);
  t.same(zombie.outcomes, ['cancel=0, s=1', 'cancel=EINVAL, s=1']);
  has(t, zombie, 'CANCEL holds');

  const bytes = (init: AioBody, fd: string, other: string): AioSeen =>
    seen(
      function* (u) {
        yield* init(u);
        yield* u.sub('c', 'a', reading(4, fd));
      },
      [
        function* (u) {
          yield* u.write(other, 'abcd');
          yield* u.note('g', u.get('c', 1, 1, 5));
        },
        (u) => u.note('cancel', u.cancel('c', 'a')),
      ],
      { runs: 600 },
    );
  const lost = bytes(pipe, 'r', 'w');
  t.ok(lost.outcomes.includes('cancel=EINVAL, g=a:4'), 'A-L28');
  t.ok(lost.outcomes.includes('cancel=0, g=0'), 'A-L28');
  has(t, lost, 'CANCEL consumed / A-I23', 'KCSAN 2.6-aio_advance_iovec / aio_cancel_wait');
  has(t, bytes(sockets, 's', 't'), 'KASAN-WILD aio_cancel_wait');
});

t.test('poll queues that the patch does not expect', async (t) => {
  const deaf = seen(
    device('/dev/two-queues'),
    [
      function* (u) {
        yield* u.sub('c', 'a', reading(4, 'd'));
        yield* u.note('g', u.get('c', 1, 1));
      },
      function* (u) {
        yield* u.write('e', 'abcd');
      },
    ],
    { stays: true },
  );
  t.ok(deaf.outcomes.includes(''), 'A-L32, A-B59');
  const stuck = seen(device('/dev/two-queues'), [
    function* (u) {
      yield* u.sub('c', 'a', reading(4, 'd'));
      yield* u.note('cancel', u.cancel('c', 'a'));
      yield* u.note('destroy', u.destroy('c'));
    },
  ]);
  t.same(stuck.outcomes, ['cancel=0']);
  has(t, stuck, 'HUNG wait_for_all_aios', 'CANCEL holds');
  const freed = seen(
    function* (u) {
      yield* device('/dev/two-queues')(u);
      yield* u.sub('c', 'a', reading(4, 'd'));
    },
    [
      function* (u) {
        yield* u.write('e', '!a');
        yield* u.note('g', u.get('c', 1, 1, 5));
      },
      function* (u) {
        yield* u.read('e', 4);
        yield* u.write('e', '!b');
      },
      (u) => u.note('cancel', u.cancel('c', 'a')),
    ],
    { runs: 6000, until: 'ACCOUNT A-I8' },
  );
  has(t, freed, 'ACCOUNT A-I8');
  const gone = seen(device('/dev/owner-queue'), [
    function* (u) {
      yield* u.sub('c', 'a', reading(4, 'd'));
      yield* u.write('e', 'ab');
      yield* u.note('cancel', u.cancel('c', 'a'));
    },
  ]);
  has(t, gone, 'KASAN-UAF aio_cancel_wait / owned_write');
});

t.test('a request that runs for ever, or sleeps', async (t) => {
  const spins = seen(device('/dev/error-queue'), [
    (u) => u.note('s', u.sub('c', 'a', reading(4, 'd'))),
  ]);
  t.same(spins.outcomes, ['']);
  has(t, spins, 'LIVELOCK aio_rw_vect_retry-4');
  const sleeps = seen(device('/dev/tun'), [(u) => u.note('s', u.sub('c', 'a', reading(4, 'd')))]);
  t.same(sleeps.outcomes, [''], 'A-B70');
  has(t, sleeps, 'LATENCY A-R63');
  const fills = seen(device('/dev/tun', 2 | O_NONBLOCK), [
    function* (u) {
      yield* u.write('e', 'ab');
      yield* u.sub('c', 'a', reading(4, 'd'));
      yield* u.note('one packet', u.get('c', 0, 1));
      yield* u.write('e', 'cd');
      yield* u.note('two packets', u.get('c', 1, 1));
    },
  ]);
  t.same(fills.outcomes, ['one packet=0, two packets=a:4'], 'A-B69');
});

t.test('what a pending request does to others', async (t) => {
  const pinned = seen(
    pipe,
    [
      function* (u) {
        yield* u.sub('c', 'a', reading(4));
        yield* u.close('r');
        yield* u.note('w', u.write('w', 'ab'));
      },
    ],
    { stays: true },
  );
  t.same(pinned.outcomes, ['w=2'], 'A-B72');
  const woken = seen(
    pipe,
    [
      function* (u) {
        yield* u.sub('c', 'a', reading(4));
        yield* u.note('cancel', u.cancel('c', 'a'));
      },
      (u) => u.note('r', u.read('r', 1)),
    ],
    { stays: true },
  );
  has(t, woken, 'WAKEUP cancel');
  const many = seen(pipe, [
    function* (u) {
      const table = u.kernel.mm.map(8192, true, true).start;
      for (let i = 0; i < 1024; i++)
        u.kernel.mm.store(table + 8 * i, { base: u.buffer + 0x3000 + i, length: 1 });
      yield* u.note('s', u.sub('c', 'a', { op: 7, fd: 'r', buf: table, nbytes: 1024 }));
    },
  ]);
  has(t, many, 'STACK pipe_read');
});
