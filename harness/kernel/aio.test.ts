import t from 'tap';
import { BAD, IOCB_PAGE, runAio, sequenceAio, show, type AioBody } from './aio.test-kit.ts';
import { geometry } from './fs/aio/ring.ts';

t.test('io_setup tests in the order of the kernel', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      const readOnly = u.kernel.mm.mapAt(0x30000000, 4096, true, false).start;
      yield* u.note('fault before all', u.setup('c', 0, BAD));
      yield* u.note('not zero', u.setup('c', 2 ** 31, u.buffer, 1));
      yield* u.note('none', u.setup('c', 0));
      yield* u.note('over the limit of memory', u.setup('c', 2033602));
      yield* u.note('over aio-max-nr', u.setup('c', 101));
      yield* u.note('all of it', u.setup('c', 100));
      yield* u.note('together too many', u.setup('d', 1));
      yield* u.note('gone', u.destroy('c'));
      yield* u.note('fault at last', u.setup('d', 1, readOnly));
      yield* u.note('nothing is left of it', u.setup('d', 100));
    },
    { maxNr: 100, contexts: [0, 6] },
  );
  t.same(lines, [
    'fault before all=EFAULT',
    'not zero=EINVAL',
    'none=EINVAL',
    'over the limit of memory=EINVAL',
    'over aio-max-nr=EAGAIN',
    'all of it=0',
    'together too many=EAGAIN',
    'gone=0',
    'fault at last=EFAULT',
    'nothing is left of it=0',
  ]);
});

t.test('a ring has room for one event more than was asked for', async (t) => {
  const rows = [1, 125, 126, 253, 254, 381, 1000, 65536];
  t.same(
    rows.map((n) => geometry(n)),
    [
      { pages: 1, nr: 127 },
      { pages: 1, nr: 127 },
      { pages: 2, nr: 255 },
      { pages: 2, nr: 255 },
      { pages: 3, nr: 383 },
      { pages: 3, nr: 383 },
      { pages: 8, nr: 1023 },
      { pages: 513, nr: 65663 },
    ],
  );
});

t.test('a handle is the address of the ring, and is used again', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      yield* u.setup('a', 1);
      yield* u.setup('b', 1);
      yield* u.destroy('a');
      u.shared.ctx.old = u.shared.ctx.a;
      yield* u.setup('c', 1);
      yield* u.setup('d', 1);
      for (const name of ['old', 'b', 'c', 'd']) u.out.set(name, u.handle(name).toString(16));
      yield* u.pipe('r', 'w');
      yield* u.note('to the old one', u.submit('old', u.pread('a', 'r', 1)));
      yield* u.note('in the new one', u.reap('c', 1, 1));
    },
    { contexts: [0, 4] },
  );
  t.same(lines, [
    'old=40000000',
    'b=40010000',
    'c=40000000',
    'd=40020000',
    'to the old one=1',
    'in the new one=a:EAGAIN',
  ]);
});

t.test('io_submit tests in the order of the kernel', async (t) => {
  const lines = sequenceAio(function* (u) {
    const raw = (nr: number, array: number, ctx = u.handle('c')): ReturnType<typeof call> =>
      call(nr, array, ctx);
    function* call(nr: number, array: number, ctx: number) {
      return show(yield* u.call('io_submit', ctx, nr, array));
    }
    yield* u.pipe('r', 'w');
    yield* u.setup('c', 4);
    yield* u.note('count before array', raw(-1, 0xd0000000));
    yield* u.note('array before context', raw(1, 0xd0000000, 7));
    yield* u.note('context before fault', raw(1, BAD, 7));
    yield* u.note('context of nothing', raw(0, BAD, 7));
    yield* u.note('nothing', raw(0, BAD));
    yield* u.note('count that wraps', raw(2 ** 30 + 1, BAD));
    yield* u.note('fault of the array', raw(1, BAD));
    yield* u.note('fault of the iocb', u.submit('c', BAD));
    yield* u.note(
      'reserved before count',
      u.submit('c', u.iocb('a', { reserved2: 1, nbytes: -1 })),
    );
    yield* u.note('an eventfd is a reserved word', u.submit('c', u.iocb('a', { resfd: 3 })));
    yield* u.note('count before fd', u.submit('c', u.iocb('a', { nbytes: 2 ** 31 })));
    yield* u.note('fd', u.submit('c', u.iocb('a', { fildes: 99, lioOpcode: 6 })));
    const fildes = u.number('w');
    yield* u.note('mode before range', u.submit('c', u.iocb('a', { fildes, buf: 0xd0000000 })));
    yield* u.note(
      'range',
      u.submit('c', u.iocb('a', { fildes, lioOpcode: 1, buf: 0xd0000000, nbytes: 1 })),
    );
    for (const lioOpcode of [2, 3, 4, 5, 6, 9, 77])
      yield* u.note(`opcode ${lioOpcode}`, u.submit('c', u.iocb('a', { fildes, lioOpcode })));
    u.iocb('a', { key: 5, fildes, lioOpcode: 6 });
    yield* u.submit('c', u.iocbAt('a'));
    u.out.set(
      'key is written before that',
      JSON.stringify(u.kernel.mm.load(u.iocbAt('a'))).slice(11, 18),
    );
    yield* u.note('a count hides the error', u.submit('c', u.pread('b', 'r', 1), BAD));
    yield* u.note('one event', u.reap('c', 0, 8));
  });
  t.same(lines, [
    'count before array=EINVAL',
    'array before context=EFAULT',
    'context before fault=EINVAL',
    'context of nothing=EINVAL',
    'nothing=0',
    'count that wraps=EFAULT',
    'fault of the array=EFAULT',
    'fault of the iocb=EFAULT',
    'reserved before count=EINVAL',
    'an eventfd is a reserved word=EINVAL',
    'count before fd=EINVAL',
    'fd=EBADF',
    'mode before range=EBADF',
    'range=EFAULT',
    'opcode 2=EINVAL',
    'opcode 3=EINVAL',
    'opcode 4=EINVAL',
    'opcode 5=EINVAL',
    'opcode 6=EINVAL',
    'opcode 9=EINVAL',
    'opcode 77=EINVAL',
    'key is written before that="key":0',
    'a count hides the error=1',
    'one event=b:EAGAIN',
  ]);
});

t.test('segments are tested one by one, and none is no bytes', async (t) => {
  const lines = sequenceAio(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.setup('c', 8);
    yield* u.write('w', 'abcdef');
    const table = IOCB_PAGE + 0x8000;
    const data = IOCB_PAGE + 0x9000;
    const vector = (
      name: string,
      lengths: readonly number[],
      buf = table,
      nbytes = lengths.length,
    ) => {
      for (const [i, length] of lengths.entries())
        u.kernel.mm.store(buf + 8 * i, { base: data + 16 * i, length });
      return u.iocb(name, { lioOpcode: 7, fildes: u.number('r'), buf, nbytes });
    };
    yield* u.note('none', u.submit('c', vector('a', [])));
    yield* u.note('too many', u.submit('c', vector('b', [], table, 1025)));
    yield* u.note('fault', u.submit('c', vector('b', [], BAD, 1)));
    yield* u.note('negative', u.submit('c', vector('b', [4, -1])));
    yield* u.note('sum', u.submit('c', vector('b', [2 ** 30, 2 ** 30])));
    u.kernel.mm.store(table, { base: 0x60000000, length: 2 ** 31 - 1 });
    yield* u.note('range', u.submit('c', vector('b', [], table, 1)));
    yield* u.note('two', u.submit('c', vector('b', [2, 3])));
    yield* u.note('events', u.reap('c', 0, 8));
    u.out.set('first', String(u.kernel.mm.load(data)));
    u.out.set('second', String(u.kernel.mm.load(data + 16)));
  });
  t.same(lines, [
    'none=1',
    'too many=EINVAL',
    'fault=EFAULT',
    'negative=EINVAL',
    'sum=EINVAL',
    'range=EFAULT',
    'two=1',
    'events=a:0 b:5',
    'first=ab',
    'second=cde',
  ]);
});

t.test('io_getevents and io_cancel test in the order of the kernel', async (t) => {
  const lines = sequenceAio(function* (u) {
    yield* u.setup('c', 4);
    yield* u.pipe('r', 'w');
    yield* u.note('context first', u.reap(7, 2, 1));
    yield* u.note('min over nr', u.reap('c', 2, 1));
    yield* u.note('negative', u.reap('c', -1, 1));
    yield* u.note('none is asked for', u.reap('c', 0, 0, -1, BAD));
    yield* u.note('timeout', u.reap('c', 1, 1, 5));
    yield* u.note('cancel: iocb first', u.cancel(7, BAD));
    yield* u.note('cancel: context', u.cancel(7, u.iocb('a', {})));
    yield* u.note('cancel: unknown', u.cancel('c', u.iocb('a', {})));
    yield* u.note('destroy', u.destroy(7));
  });
  t.same(lines, [
    'context first=EINVAL',
    'min over nr=EINVAL',
    'negative=EINVAL',
    'none is asked for=0',
    'timeout=0',
    'cancel: iocb first=EFAULT',
    'cancel: context=EINVAL',
    'cancel: unknown=EINVAL',
    'destroy=EINVAL',
  ]);
});

/** Submits reads of nothing: three events at once. */
const threeEvents: AioBody = function* (u) {
  yield* u.pipe('r', 'w');
  yield* u.setup('c', 4);
  yield* u.submit('c', u.pread('a', 'r', 1), u.pread('b', 'r', 1), u.pread('c', 'r', 1));
};

t.test('an event that cannot be stored is out of the ring all the same', async (t) => {
  const lines = sequenceAio(function* (u) {
    const end = u.kernel.mm.mapAt(0x30000000, 64, true, true).start;
    yield* threeEvents(u);
    yield* u.note('two fit, three are needed', u.reap('c', 3, 3, -1, end));
    yield* u.note('the third is lost', u.reap('c', 0, 8));
    yield* u.submit('c', u.pread('a', 'r', 1), u.pread('b', 'r', 1), u.pread('c', 'r', 1));
    yield* u.note('two fit, two are needed', u.reap('c', 2, 3, -1, end));
    yield* u.note('nobody learns of the third', u.reap('c', 0, 8));
  });
  t.same(lines, [
    'two fit, three are needed=EFAULT',
    'the third is lost=0',
    'two fit, two are needed=a:EAGAIN b:EAGAIN',
    'nobody learns of the third=0',
    'COUNT A-R53',
    'LOST-EVENT A-I6 / efault',
  ]);
});

t.test('unread events and requests in flight share the ring', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      yield* threeEvents(u);
      yield* u.note('full', u.submit('c', u.pread('d', 'r', 1)));
      yield* u.note('one is read', u.reap('c', 1, 1));
      yield* u.note('room', u.submit('c', u.pread('d', 'r', 1), u.pread('e', 'r', 1)));
      yield* u.note('the rest', u.reap('c', 3, 8));
    },
    { ring: 4 },
  );
  t.same(lines, [
    'full=EAGAIN',
    'one is read=a:EAGAIN',
    'room=1',
    'the rest=b:EAGAIN c:EAGAIN d:EAGAIN',
  ]);
});

t.test('a reaper sleeps until an event comes, for a time, or until a signal', async (t) => {
  const waits = runAio({
    init: function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.setup('c', 4);
    },
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 1, 2));
      },
      function* (u) {
        yield* u.note('n', u.submit('c', u.pread('a', 'r', 1)));
      },
    ],
  });
  t.same(waits.outcomes, ['n=1, x=a:EAGAIN']);
  t.same(waits.findings, []);

  const timeout = runAio({
    init: (u) => threeEvents(u),
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 4, 4, 20));
      },
    ],
  });
  t.same(timeout.outcomes, ['x=a:EAGAIN b:EAGAIN c:EAGAIN']);

  const signal = runAio({
    init: (u) => threeEvents(u),
    signals: true,
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 3, 4));
        yield* u.note('y', u.reap('c', 1, 4));
      },
      function* (u) {
        yield* u.call('kill', 0, 10);
      },
    ],
  });
  t.same(signal.outcomes, [
    'x=a:EAGAIN b:EAGAIN c:EAGAIN (blocked)',
    'x=a:EAGAIN b:EAGAIN c:EAGAIN, y=EINTR',
  ]);
});

t.test('a reaper that a signal ends keeps the wake-up that was for another (A-B1)', async (t) => {
  const seen = runAio({
    init: function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.setup('c', 4);
    },
    signals: true,
    threads: [
      function* (u) {
        yield* u.note('x', u.reap('c', 1, 1));
      },
      function* (u) {
        yield* u.note('y', u.reap('c', 1, 1));
      },
      function* (u) {
        yield* u.submit('c', u.pread('a', 'r', 1));
        yield* u.call('kill', 0, 10);
      },
    ],
  });
  t.ok(seen.outcomes.includes('x=EINTR (blocked)'), seen.outcomes.join('; '));
  t.ok(seen.findings.includes('WAKEUP reaper'), seen.findings.join('; '));
});
