import t from 'tap';

import type { Kernel } from '../machine/index.ts';
import { runAio, sequenceAio, type AioLibc } from './aio.test-kit.ts';
import { plain2620, type Parts2620 } from './build-2.6.20.ts';
import { Opcode, iovecSize } from './fs/aio/abi.ts';
import { O_NONBLOCK, SOCK_DGRAM, SOCK_STREAM, type Seen } from './kernel-2.6.20.test-kit.ts';
import { aioEpollWait } from './series/aio-epoll-wait.ts';
import { aioFallbackNonblock } from './series/aio-fallback-nonblock.ts';
import { fsAio } from './series/fs-aio.ts';
import { buildKernel } from './series/index.ts';

const FALLBACK = aioFallbackNonblock.apply(aioEpollWait.apply(fsAio.apply(plain2620)));

const O_DIRECT = 0o40000;

/** Room for texts that are longer than those of the kit. */
const BIG = 0x10000;

/** An iocb that writes `count` bytes of no particular content. */
function writeMany(u: AioLibc, name: string, fd: string, count: number): number {
  const fildes = u.number(fd);
  return u.iocb(name, { lioOpcode: Opcode.PWRITE, fildes, buf: u.buffer + BIG, nbytes: count });
}

/** An iocb over a table of segments of these lengths, a byte apart. */
function vector(
  u: AioLibc,
  name: string,
  lioOpcode: number,
  fd: string,
  lengths: readonly number[],
): number {
  const buf = u.buffer + BIG;
  let base = buf + 0x8000;
  for (const [i, length] of lengths.entries()) {
    u.kernel.mm.store(buf + i * iovecSize(), { base, length });
    base += length + 1;
  }
  return u.iocb(name, { lioOpcode, fildes: u.number(fd), buf, nbytes: lengths.length });
}

/** The results; the rest are findings, of which more may come from checks that are tested elsewhere. */
function results(lines: readonly string[]): string[] {
  return lines.filter((line) => line.includes('='));
}

/** Submits one request and says what came of it. */
function* once(u: AioLibc, iocb: number): Kernel<string> {
  const accepted = yield* u.submit('c', iocb);
  return accepted === '1' ? yield* u.reap('c', 1, 1) : accepted;
}

t.test(
  'in-place consumption makes writes to pipes and AF_UNIX sockets report wrong counts',
  async (t) => {
    const lines = sequenceAio(
      function* (u) {
        yield* u.setup('c', 4);
        yield* u.pipe('r', 'w');
        yield* u.note('pipe, all taken (A-B19)', once(u, u.pwrite('a', 'w', 'hello')));
        yield* u.note('pipe data', u.read('r', 9));
        yield* u.note('pipe, part taken (A-B20)', once(u, writeMany(u, 'a', 'w', 102400)));
        yield* u.note('pipe bytes', u.read('r', 200000));
        yield* u.write('w', 15 * 4096);
        yield* u.note('error hides progress (A-B23)', once(u, writeMany(u, 'a', 'w', 3 * 4096)));
        yield* u.note('pipe bytes after the error', u.read('r', 200000));
        yield* u.pair('s', 'u', SOCK_STREAM);
        yield* u.note('AF_UNIX stream', once(u, u.pwrite('a', 's', 'hello')));
        yield* u.note('stream data', u.read('u', 9));
        yield* u.pair('d', 'e', SOCK_DGRAM | O_NONBLOCK);
        yield* u.note('datagram (A-B21)', once(u, u.pwrite('a', 'd', 'hello')));
        yield* u.note('first datagram', u.read('e', 9));
        yield* u.note('second datagram', u.read('e', 9));
        yield* u.note('no third', u.read('e', 9));
        yield* u.make('l', 'listen', 0);
        yield* u.make('t', 'connect', u.number('l'), 0);
        yield* u.make('v', 'accept', u.number('l'), 0);
        yield* u.note('loopback stream', once(u, u.pwrite('a', 't', 'hello')));
        yield* u.note('loopback data', u.read('v', 9));
        yield* u.note('read', once(u, u.pread('a', 'v', 0)));
        yield* u.write('t', 'ab');
        yield* u.note('short read', once(u, u.pread('a', 'v', 9)));
        yield* u.note('destroy', u.destroy('c'));
      },
      { contexts: [0, 1] },
    );
    t.same(results(lines), [
      'pipe, all taken (A-B19)=a:0',
      'pipe data="hello"',
      'pipe, part taken (A-B20)=a:36864',
      'pipe bytes=65536',
      'error hides progress (A-B23)=a:EAGAIN',
      'pipe bytes after the error=65536',
      'AF_UNIX stream=a:0',
      'stream data="hello"',
      'datagram (A-B21)=a:0',
      'first datagram="hello"',
      'second datagram=0',
      'no third=EAGAIN',
      'loopback stream=a:5',
      'loopback data="hello"',
      'read=a:0',
      'short read=a:2',
      'destroy=0',
    ]);
    t.ok(lines.includes('LEAK alloc_sock_iocb'), 'the record of every send but the last (A-B22)');
  },
);

t.test('regular files are plain storage at an offset, and vectors go in order', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      yield* u.setup('c', 4);
      yield* u.open('f', '/tmp/file', 2);
      const at = (name: string, lioOpcode: number, offset: number, nbytes: number): number =>
        u.iocb(name, {
          lioOpcode,
          fildes: u.number('f'),
          buf: u.buffer + BIG,
          nbytes,
          offset,
        });
      u.kernel.mm.store(u.buffer + BIG, 'abcdef');
      yield* u.note('write', once(u, at('a', Opcode.PWRITE, 2, 6)));
      yield* u.note('whole', u.read('f', 9));
      yield* u.note('position', u.read('f', 9));
      yield* u.note('short read', once(u, at('a', Opcode.PREAD, 5, 9)));
      yield* u.note('read data', u.text(u.buffer + BIG, 3));
      yield* u.note('past the end', once(u, at('a', Opcode.PREAD, 100, 9)));
      yield* u.note('before the start', once(u, at('a', Opcode.PWRITE, -1, 1)));
      yield* u.note('readv', once(u, vector(u, 'b', Opcode.PREADV, 'f', [2, 0, 3, 9])));
      yield* u.note('first', u.text(u.buffer + BIG + 0x8000, 2));
      yield* u.note('third', u.text(u.buffer + BIG + 0x8000 + 4, 3));
      yield* u.note('last', u.text(u.buffer + BIG + 0x8000 + 8, 3));
      yield* u.pipe('r', 'w');
      yield* u.note('writev', once(u, vector(u, 'b', Opcode.PWRITEV, 'w', [2, 3])));
      yield* u.note('in the pipe', u.read('r', 9));
      yield* u.open('tty', '/dev/tty', 2);
      yield* u.note('no method', once(u, u.pread('a', 'tty', 1)));
      yield* u.pair('s', 'u', SOCK_STREAM);
      const fildes = u.number('s');
      yield* u.note('position of a socket', once(u, u.iocb('a', { fildes, nbytes: 1, offset: 1 })));
      yield* u.destroy('c');
    },
    { contexts: [0, 1] },
  );
  t.same(results(lines), [
    'write=a:6',
    'whole="\0\0abcdef"',
    'position=0',
    'short read=a:3',
    'read data="def"',
    'past the end=a:0',
    'before the start=a:EINVAL',
    'readv=b:8',
    'first="\\u0000\\u0000"',
    'third="abc"',
    'last="def"',
    'writev=b:0',
    'in the pipe="\0\0xab"',
    'no method=EINVAL',
    'position of a socket=a:ESPIPE',
  ]);
});

t.test('a blocking method sleeps in io_submit, and a signal leaks the restart code', async (t) => {
  const seen = runAio({
    signals: true,
    contexts: [1],
    *init(u) {
      yield* u.setup('c', 4);
      yield* u.pipe('r', 'w', 0);
    },
    threads: [
      (u) => u.note('x', once(u, u.pread('a', 'r', 1))),
      function* (u) {
        yield* u.call('kill', 0, 10);
        yield* u.write('w', 'z');
      },
    ],
  });
  t.same(seen.outcomes, ['x=a:-512', 'x=a:1']);
});

t.test('with the fallback, pipes and sockets do not sleep for a request', async (t) => {
  const lines = sequenceAio(
    function* (u) {
      yield* u.setup('c', 8);
      yield* u.pipe('r', 'w', 0);
      yield* u.note('pipe, all taken', once(u, u.pwrite('a', 'w', 'hello')));
      yield* u.note('pipe data', u.read('r', 9));
      yield* u.note('empty pipe', u.submit('c', u.pread('a', 'r', 3)));
      yield* u.write('w', 'abcd');
      yield* u.note('then', u.reap('c', 1, 1));
      yield* u.note('left in the pipe', u.read('r', 9));
      yield* u.pair('s', 'u', SOCK_STREAM);
      yield* u.note('empty socket', u.submit('c', u.pread('a', 's', 3)));
      yield* u.note('cancelled', u.cancel('c', u.iocbAt('a')));
      yield* u.note('no event', u.reap('c', 0, 1));
      yield* u.note('AF_UNIX still', once(u, u.pwrite('a', 'u', 'hello')));
      const segments = Array.from({ length: 1024 }, () => 1);
      yield* u.note('vector', u.submit('c', vector(u, 'b', Opcode.PREADV, 'r', segments)));
      yield* u.note('cancel the vector', u.cancel('c', u.iocbAt('b')));
      yield* u.note('destroy', u.destroy('c'));
    },
    { contexts: [0, 1], parts: FALLBACK },
  );
  t.same(results(lines), [
    'pipe, all taken=a:5',
    'pipe data="hello"',
    'empty pipe=1',
    'then=a:3',
    'left in the pipe="d"',
    'empty socket=1',
    'cancelled=a:0',
    'no event=0',
    'AF_UNIX still=a:0',
    'vector=1',
    'cancel the vector=b:0',
    'destroy=0',
  ]);
  t.ok(lines.includes('STACK pipe_read'), '8 KiB of segments (A-B63)');
});

t.test('SIGPIPE of a retried write goes to whoever runs it (A-B66)', async (t) => {
  const seen = runAio({
    contexts: [1],
    parts: FALLBACK,
    *init(u) {
      yield* u.setup('c', 4);
      yield* u.pipe('r', 'w', 0);
      yield* u.write('w', 65536);
    },
    threads: [
      (u) => u.note('x', once(u, u.pwrite('a', 'w', 'b'))),
      (u) => u.note('y', u.close('r')),
    ],
  });
  t.same(seen.outcomes, ['x=a:EPIPE, y=0', 'y=0']);
  t.ok(seen.findings.includes('FOREIGN pipe_write-SIGPIPE'));
});

t.test('a datagram that waits for its receiver goes round and arrives empty (A-B61)', async (t) => {
  const seen = runAio({
    contexts: [1],
    parts: FALLBACK,
    *init(u) {
      yield* u.setup('c', 4);
      yield* u.make('l', 'listen', SOCK_DGRAM | O_NONBLOCK);
      yield* u.make('s', 'connect', u.number('l'), SOCK_DGRAM | O_NONBLOCK);
      for (let i = 0; i < 11; i++) yield* u.write('s', 'x');
    },
    threads: [
      (u) => u.note('x', once(u, u.pwrite('a', 's', 'hello'))),
      (u) => u.note('y', u.read('l', 9)),
    ],
  });
  t.same(seen.outcomes, ['x=a:0, y="x"', 'y="x"', 'y="x" (blocked)']);
  t.ok(seen.findings.includes('LIVELOCK aio_rw_vect_retry-4'));
  t.ok(seen.findings.includes('OOPS aio_run_iocb-6'), 'ends with its entry queued (A-B53)');
});

t.test(
  'devices with packets, with two poll queues, and with a queue that goes (A-B59, A-B69, A-B71)',
  async (t) => {
    const lines = sequenceAio(
      function* (u) {
        yield* u.setup('c', 8);
        yield* u.open('t', '/dev/tun', 2 | O_NONBLOCK);
        yield* u.note('one packet', once(u, u.pwrite('a', 't', 'abc')));
        yield* u.write('t', 'defg');
        yield* u.note('packets run together (A-B69)', once(u, u.pread('a', 't', 7)));
        yield* u.open('q', '/dev/two-queues', 2);
        yield* u.note('empty', u.submit('c', u.pread('a', 'q', 1)));
        yield* u.write('q', '2');
        yield* u.note('the second queue', u.reap('c', 1, 1, 1000));
        yield* u.note('cancel', u.cancel('c', u.iocbAt('a')));
        yield* u.note('drain', u.read('q', 9));
        yield* u.note('again', u.submit('c', u.pread('b', 'q', 1)));
        yield* u.write('q', '!');
        yield* u.note('the first queue', u.reap('c', 1, 1));
        yield* u.open('o', '/dev/owner-queue', 2);
        yield* u.note('owned', u.submit('c', u.pread('d', 'o', 1)));
        yield* u.write('o', 'a');
        yield* u.note('owner gone', u.reap('c', 1, 1, 1000));
        yield* u.note('read instead', u.read('o', 1));
        yield* u.note('cancel there', u.cancel('c', u.iocbAt('d')));
      },
      { contexts: [0, 1], parts: FALLBACK },
    );
    t.same(results(lines), [
      'one packet=a:3',
      'packets run together (A-B69)=a:7',
      'empty=1',
      'the second queue=0',
      'cancel=a:0',
      'drain="2"',
      'again=1',
      'the first queue=b:1',
      'owned=1',
      'owner gone=0',
      'read instead="a"',
      'cancel there=d:0',
    ]);
    t.ok(lines.includes('KASAN-UAF aio_cancel_wait / owned_write'));
  },
);

t.test('an error that stays makes a read go round for ever (A-B62)', async (t) => {
  const body = (u: AioLibc): Kernel<void> => u.note('x', once(u, u.pread('a', 'e', 1)));
  const story = (parts: Parts2620): Seen =>
    runAio({
      contexts: [1],
      parts,
      *init(u) {
        yield* u.setup('c', 4);
        yield* u.open('e', '/dev/error-queue', 0);
        yield* u.note('poll', u.poll('e', 1, 0));
      },
      threads: [body],
    });
  t.same(story(plain2620).outcomes, ['poll=ERR, x=a:EAGAIN']);
  const seen = story(FALLBACK);
  t.same(seen.outcomes, ['poll=ERR (blocked)']);
  t.ok(seen.findings.includes('LIVELOCK aio_rw_vect_retry-4'));
});

t.test(
  'a disk completes its requests in any order, and moves the data then (A-R110)',
  async (t) => {
    const seen = runAio({
      contexts: [1],
      disk: { slots: 0, service: 0 },
      kernel: buildKernel('3.1'),
      *init(u) {
        yield* u.setup('c', 4);
        yield* u.open('f', '/dev/sda', 2 | O_DIRECT);
      },
      threads: [
        function* (u) {
          yield* u.submit('c', u.pwrite('a', 'f', 'abc'), u.pread('b', 'f', 2));
          yield* u.call('sleep', 100);
          yield* u.note('x', u.reap('c', 2, 2));
          yield* u.note('y', u.text(u.bufferOf('b'), 2));
        },
      ],
    });
    t.same(seen.outcomes, ['x=a:3 b:2, y="ab"', 'x=b:2 a:3, y="\\u0000\\u0000"']);
    t.same(seen.findings, []);
  },
);

t.test('a disk with two slots: io_submit waits for six of eight requests (A-R155)', async (t) => {
  const story = (spec: string, slots: number, places: readonly number[]): string[] =>
    sequenceAio(
      function* (u) {
        yield* u.setup('c', 16);
        yield* u.open('f', '/dev/sda', 2 | O_DIRECT);
        const fields = { fildes: u.number('f'), buf: u.buffer + BIG, nbytes: 10 };
        const iocbs = places.map((offset, i) =>
          u.iocb(String.fromCharCode(97 + i), { ...fields, offset }),
        );
        yield* u.note('submit', u.submit('c', ...iocbs));
        for (const name of [
          'completed',
          'dispatched',
          'merged',
          'first-dispatch',
          'order',
          'slept',
        ])
          yield* u.note(name, u.stat(name));
        yield* u.call('sleep', 100);
        yield* u.note('all', u.reap('c', places.length, places.length));
        yield* u.destroy('c');
      },
      { contexts: [0, 1], disk: { slots, service: 3 }, kernel: buildKernel(spec) },
    );
  const eight = [700, 600, 500, 400, 300, 200, 100, 0];
  t.same(story('3.1+no-plug', 2, eight), [
    'submit=8',
    'completed=6',
    'dispatched=8',
    'merged=0',
    'first-dispatch=1',
    'order=12345678',
    'slept=6',
    'all=a:10 b:10 c:10 d:10 e:10 f:10 g:10 h:10',
  ]);
  t.same(
    story('3.1', 2, eight),
    [
      'submit=8',
      'completed=6',
      'dispatched=8',
      'merged=0',
      'first-dispatch=2',
      'order=21345678',
      'slept=6',
      'all=b:10 a:10 c:10 d:10 e:10 f:10 g:10 h:10',
    ],
    'the plug is flushed when its task sleeps',
  );
  t.same(
    story('3.1', 0, [20, 50, 10, 0, 30]),
    [
      'submit=5',
      'completed=0',
      'dispatched=2',
      'merged=3',
      'first-dispatch=5',
      'order=43152',
      'slept=0',
      'all=d:10 c:10 a:10 e:10 b:10',
    ],
    'a plug holds everything back, sorts and merges (A-R152, A-R153)',
  );
});
