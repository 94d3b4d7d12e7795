import t from 'tap';

import { SNDBUF } from './net/socket.ts';
import {
  IN,
  OUT,
  ET,
  O_NONBLOCK,
  SOCK_DGRAM,
  ADD,
  show,
  run,
  sequence,
} from './kernel-2.6.20.test-kit.ts';

t.test('a pipe has 16 buffers of a page, and small writes share the last one', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.note('empty', u.poll('r', IN | OUT, 0));
    yield* u.note('room', u.poll('w', IN | OUT, 0));
    yield* u.note('15 pages', u.write('w', 15 * 4096));
    yield* u.note('a byte', u.write('w', 'a'));
    yield* u.note('all used', u.poll('w', OUT, 0));
    yield* u.note('merged', u.write('w', 4095));
    yield* u.note('full', u.write('w', 'b'));
    yield* u.note('part of a page', u.read('r', 4095));
    yield* u.note('no buffer free', u.write('w', 'b'));
    yield* u.note('rest', u.read('r', 1));
    yield* u.note('buffer free', u.write('w', 5000));
    yield* u.note('drained', u.read('r', 100000));
    yield* u.note('dry', u.read('r', 1));
    yield* u.write('w', 'ab');
    yield* u.write('w', 'cd');
    yield* u.note('bytes', u.read('r', 3));
    yield* u.close('w');
    yield* u.note('hung up', u.poll('r', IN, 0));
    yield* u.note('last byte', u.read('r', 3));
    yield* u.note('end', u.read('r', 3));
    yield* u.pipe('r2', 'w2');
    yield* u.close('r2');
    yield* u.note('broken', u.write('w2', 'a'));
    yield* u.note('error', u.poll('w2', OUT, 0));
  });
  t.same(lines, [
    'empty=0',
    'room=OUT',
    '15 pages=61440',
    'a byte=1',
    'all used=0',
    'merged=4095',
    'full=EAGAIN',
    'part of a page=4095',
    'no buffer free=EAGAIN',
    'rest="x"',
    'buffer free=4096',
    'drained=65536',
    'dry=EAGAIN',
    'bytes="abc"',
    'hung up=IN|HUP',
    'last byte="d"',
    'end=0',
    'broken=EPIPE',
    'error=OUT|ERR',
  ]);
});

t.test('a blocked reader and a blocked writer of a pipe wake each other', async (t) => {
  const seen = run({
    *init(u) {
      yield* u.pipe('r', 'w', 0);
      yield* u.write('w', 16 * 4096);
    },
    threads: [
      (u) => u.note('n', u.write('w', 'ab')),
      function* (u) {
        yield* u.note('x', u.read('r', 65536));
        yield* u.note('y', u.read('r', 10));
      },
    ],
  });

  // A reader that has data goes on waiting while a writer sleeps in the kernel.
  t.same(seen.outcomes, ['n=2, x=65536, y="ab"']);
  t.same(seen.findings, []);
});

t.test('FIFOs open as the manual page says', async (t) => {
  const lines = sequence(function* (u) {
    u.kernel.mm.store(u.buffer, 'f');
    yield* u.note(
      'mkfifo',
      (function* () {
        return show(yield* u.call('mkfifo', u.buffer));
      })(),
    );
    yield* u.note('writer alone', u.open('w', 'f', 1 | O_NONBLOCK));
    yield* u.note('reader alone', u.open('r', 'f', O_NONBLOCK));
    yield* u.note('no hang-up yet', u.poll('r', IN, 0));
    yield* u.note('writer', u.open('w', 'f', 1 | O_NONBLOCK));
    yield* u.write('w', 'a');
    yield* u.close('w');
    yield* u.note('hung up', u.poll('r', IN, 0));
    yield* u.note('missing', u.open('x', 'nowhere', 0));
  });
  t.same(lines, [
    'mkfifo=0',
    'writer alone=ENXIO',
    'reader alone=ok',
    'no hang-up yet=0',
    'writer=ok',
    'hung up=IN|HUP',
    'missing=ENOENT',
  ]);
});

t.test('an AF_UNIX stream fills, drains and ends', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.pair('s', 'u');
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 's', IN | OUT | ET | 0x2000);
    yield* u.note('fresh', u.wait('A', 8, 0));
    yield* u.note('full', u.write('s', 0x40000));
    yield* u.note('again', u.write('s', 'a'));
    yield* u.note('not writable', u.poll('s', OUT, 0));
    yield* u.note('drained', u.read('u', 0x40000));
    yield* u.note('room', u.wait('A', 8, 0));
    yield* u.write('u', 'hello');
    yield* u.note('data', u.wait('A', 8, 0));
    yield* u.note('part', u.read('s', 2));
    yield* u.note('rest', u.read('s', 9));
    yield* u.call('shutdown', u.fd.u, 1);
    yield* u.note('half', u.wait('A', 8, 0));
    yield* u.note('end', u.read('s', 9));
    yield* u.close('u');
    yield* u.note('closed', u.wait('A', 8, 0));
    yield* u.note('broken', u.write('s', 'a'));
    yield* u.pair('p', 'q');
    yield* u.write('p', 'unread');
    yield* u.close('q');
    yield* u.note('shut', u.write('p', 'a'));
    yield* u.note('reset', u.read('p', 9));
    yield* u.note('told once', u.read('p', 9));
  });
  const pieces = 3 * (SNDBUF / 2 - 64);
  t.same(lines, [
    'fresh=s:OUT',
    `full=${pieces}`,
    'again=EAGAIN',
    'not writable=0',
    `drained=${pieces}`,
    'room=s:OUT',
    'data=s:IN|OUT',
    'part="he"',
    'rest="llo"',
    'half=s:IN|OUT|RDHUP',
    'end=0',
    'closed=s:IN|OUT|HUP|RDHUP',
    'broken=EPIPE',
    'shut=EPIPE',
    'reset=ECONNRESET',
    'told once=0',
  ]);
});

t.test(
  'a listener is readable while a connection waits, and unread data turns a close into a reset',
  async (t) => {
    const lines = sequence(function* (u) {
      yield* u.make('l', 'listen', O_NONBLOCK);
      yield* u.note('nobody', u.make('a', 'accept', u.fd.l));
      yield* u.note('quiet', u.poll('l', IN | OUT, 0));
      yield* u.make('c', 'connect', u.fd.l, O_NONBLOCK);
      yield* u.note('waiting', u.poll('l', IN | OUT, 0));
      yield* u.note('accepted', u.make('a', 'accept', u.fd.l, O_NONBLOCK));
      yield* u.note('full', u.write('c', 0x40000));
      yield* u.note('again', u.write('c', 'a'));
      yield* u.note('not writable', u.poll('c', IN | OUT, 0));
      yield* u.read('a', 100);
      yield* u.close('a');
      yield* u.note('reset', u.poll('c', IN | OUT, 0));
      yield* u.note('error', u.read('c', 1));
      yield* u.note('then', u.write('c', 'a'));
      yield* u.close('l');
      yield* u.note('refused', u.make('d', 'connect', u.fd.l));
    });
    t.same(lines, [
      'nobody=EAGAIN',
      'quiet=0',
      'waiting=IN',
      'accepted=ok',
      `full=${SNDBUF}`,
      'again=EAGAIN',
      'not writable=0',
      'reset=IN|ERR|HUP',
      'error=ECONNRESET',
      'then=EPIPE',
      'refused=ECONNREFUSED',
    ]);
  },
);

t.test('one connection ends one blocked accept', async (t) => {
  const seen = run({
    *init(u) {
      yield* u.make('l', 'listen', 0);
    },
    threads: [
      (u) => u.note('a', u.make('a', 'accept', u.fd.l)),
      (u) => u.note('b', u.make('b', 'accept', u.fd.l)),
      (u) => u.note('c', u.make('c', 'connect', u.fd.l)),
    ],
  });

  t.same(seen.outcomes, ['a=ok, c=ok', 'b=ok, c=ok']);
  t.same(seen.findings, []);
});

t.test(
  'a stream refuses for lack of memory without asking to be told of room (E-B82)',
  async (t) => {
    const seen = run({
      faults: 1,
      *init(u) {
        yield* u.make('A', 'epoll_create', 1);
        yield* u.make('l', 'listen', 0);
        yield* u.make('c', 'connect', u.fd.l, O_NONBLOCK);
        yield* u.make('a', 'accept', u.fd.l, O_NONBLOCK);
        yield* u.ctl('A', ADD, 'c', OUT | ET);
        yield* u.wait('A', 8, 0);
      },
      threads: [
        function* (u) {
          yield* u.note('w', u.write('c', 'a'));
          yield* u.note('x', u.wait('A', 8, 0));
        },
      ],
    });

    t.ok(seen.outcomes.includes('w=EAGAIN, x=0'));
  },
);

t.test('a datagram socket is called writable while its peer is full (E-B81)', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.make('u', 'listen', SOCK_DGRAM | O_NONBLOCK);
    yield* u.make('s', 'connect', u.fd.u, O_NONBLOCK);
    yield* u.make('v', 'connect', u.fd.u, O_NONBLOCK);
    for (let i = 0; i < 11; i++) yield* u.write('v', 'm');
    yield* u.note('full', u.write('s', 'n'));
    yield* u.note('lie', u.poll('s', OUT, 0));
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 's', OUT | ET);
    yield* u.wait('A', 8, 0);
    yield* u.read('u', 9);
    yield* u.note('silence', u.wait('A', 8, 0));
    yield* u.note('sent', u.write('s', 'n'));
    yield* u.pair('p', 'q', SOCK_DGRAM | O_NONBLOCK);
    for (let i = 0; i < 11; i++) yield* u.write('p', 'm');
    yield* u.note('a pair has no such limit', u.write('p', 'n'));
    yield* u.call('shutdown', u.fd.p, 0);
    yield* u.note('shut and empty', u.read('p', 9));
    yield* u.note('readable', u.poll('p', IN, 0));
    yield* u.pair('k', 'l', SOCK_DGRAM | O_NONBLOCK);
    yield* u.write('k', SNDBUF / 2 - 1);
    yield* u.note('less than half', u.poll('k', OUT, 0));
    yield* u.write('k', 1);
    yield* u.note('half', u.poll('k', OUT, 0));
  });
  t.same(lines, [
    'full=EAGAIN',
    'lie=OUT',
    'silence=0',
    'sent=1',
    'a pair has no such limit=1',
    'shut and empty=EAGAIN',
    'readable=IN',
    'less than half=OUT',
    'half=0',
  ]);
});

t.test('a terminal is readable per line typed, and /dev/tty is silent', async (t) => {
  const lines = sequence(function* (u) {
    yield* u.open('m', '/dev/ptmx', 2);
    yield* u.open('s', '/dev/pts/0', 2 | O_NONBLOCK);
    yield* u.make('A', 'epoll_create', 1);
    yield* u.ctl('A', ADD, 's', IN | ET);
    yield* u.write('m', 'ab');
    yield* u.note('half a line', u.wait('A', 8, 0));
    yield* u.write('m', 'c\nd\n');
    yield* u.note('line', u.wait('A', 8, 0));
    yield* u.note('first', u.read('s', 9));
    yield* u.note('second', u.read('s', 9));
    yield* u.note('dry', u.read('s', 9));
    yield* u.open('tty', '/dev/tty', O_NONBLOCK);
    yield* u.note('tty', u.poll('tty', IN, 0));
  });
  t.same(lines, [
    'half a line=0',
    'line=s:IN',
    'first="abc\n"',
    'second="d\n"',
    'dry=EAGAIN',
    'tty=0',
  ]);
});
