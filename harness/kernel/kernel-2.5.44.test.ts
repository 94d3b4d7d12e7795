import t from 'tap';
import { type Kernel } from '../machine/index.ts';
import { EP_ALLOC, EP_FREE, EP_ISPOLLED, EP_POLL } from './drivers/char/eventpoll-device.ts';
import { pollTicks } from './drivers/char/eventpoll-poll.ts';
import { epFdsPages } from './drivers/char/eventpoll.ts';
import { kernelConfig } from './kernel.ts';
import {
  V11,
  ACSEM,
  IN,
  OUT,
  HUP,
  POLLREMOVE,
  O_NONBLOCK,
  ADD,
  DEL,
  MOD,
  show,
  type Body,
  has,
  all,
  alone,
} from './kernel-2.5.44.test-kit.ts';

t.test('epoll_create() sizes: pages, not descriptors (E-R1, E-B34)', (t) => {
  t.equal(epFdsPages(0), 0);
  t.equal(epFdsPages(-511), 0);
  t.equal(epFdsPages(-512), 8388607);
  t.equal(epFdsPages(512), 1);
  t.equal(epFdsPages(513), 2);
  const sizes: readonly (readonly [number, string])[] = [
    [131073, 'EINVAL'],
    [131072, 'EINVAL'],
    [131071, '3'],
    [0, '3'],
    [511, '3'],
    [-1, '3'],
    [-512, '3'],
    [-513, 'EINVAL'],
    [-2147483648, 'EINVAL'],
  ];
  for (const [size, expected] of sizes)
    t.equal(
      alone(V11, (u) => u.note('A', u.make('A', size))).out,
      `A=${expected}`,
      `create(${size})`,
    );
  const useless = alone(V11, function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', -1);
    yield* u.note('add', u.ctl('A', ADD, 'r', IN));
    yield* u.note('wait', u.wait('A', 0));
  });
  t.equal(useless.out, 'add=E2BIG wait=EINVAL');
  t.end();
});

t.test('epoll_ctl() tests its arguments in the order of E-R2', (t) => {
  const { out, findings } = alone(V11, function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.make('A', 10);
    yield* u.note('a', u.call('epoll_ctl', 99, 77, 98, IN));
    yield* u.note('b', u.ctl('r', 77, 98, IN));
    yield* u.note('c', u.ctl('A', 77, 98, IN));
    yield* u.note('d', u.ctl('A', ADD, 98, IN));
    yield* u.note('e', u.ctl('A', DEL, 98));
    yield* u.note('f', u.ctl('A', MOD, 98, IN));
    yield* u.note('g', u.ctl('A', ADD, 'r', IN));
    yield* u.note('h', u.ctl('A', ADD, 'r', IN));
    yield* u.note('i', u.ctl('A', MOD, 'r', OUT));
    yield* u.note('j', u.ctl('A', DEL, 'r'));
    yield* u.note('k', u.ctl('A', DEL, 'r'));
    yield* u.note('l', u.ctl('A', ADD, 'A', IN));
  });
  t.equal(
    out,
    'a=EBADF b=EINVAL c=EINVAL d=EBADF e=ENOENT f=ENOENT g=0 h=EEXIST i=0 j=0 k=ENOENT l=0',
  );
  const leaks = ['LEAK v11-EC3', 'LEAK v11-EC5', 'LEAK v11-EC5-mntget'];
  t.same([...findings].sort(), leaks, 'each create leaks dentry, inode and mount (E-B27)');
  const merged = alone(ACSEM, (u) => u.note('A', u.make('A', 10)));
  t.same([...merged.findings].sort(), leaks.slice(0, 2), '2.5.45 drops the mount');
  t.end();
});

t.test('a wait takes every slot, turns the buffer, and its array stays (E-R22 to E-R25)', (t) => {
  const { out } = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.pipe('p', 'q');
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.ctl('A', ADD, 'p', IN | HUP);
    yield* u.write('q', 'a');
    yield* u.write('w', 'a');
    const n = yield* u.call('epoll_wait', u.fd.A, u.buffer, 0);
    const first = Number(u.kernel.mm.load(u.buffer));
    yield* u.note('a', u.batch(first, n));
    yield* u.note('b', u.wait('A', 0));
    yield* u.read('r', 9);
    yield* u.write('w', 'b');
    yield* u.note('c', u.batch(first, n));
    yield* u.note('d', u.wait('A', 0));
    yield* u.read('p', 9);
    yield* u.write('q', 'c');
    yield* u.call('close', u.fd.q);
    yield* u.note('e', u.wait('A', 0));
  });
  t.equal(out, 'a={p:1,r:1} b=0 c={p:1,r:1} d={r:1} e={p:17}');
  t.end();
});

t.test('DEL moves the last slot into the hole (E-R23, E-R31)', (t) => {
  const { out } = alone(V11, function* (u) {
    yield* u.make('A', 10);
    for (const i of [1, 2, 3]) {
      yield* u.pipe(`r${i}`, `w${i}`);
      yield* u.ctl('A', ADD, `r${i}`, IN);
      yield* u.write(`w${i}`, 'a');
    }
    yield* u.ctl('A', DEL, 'r1');
    yield* u.call('close', u.fd.w3);
    yield* u.note('a', u.wait('A', 0));
  });
  t.equal(out, 'a={r3:1,r2:1}');
  t.end();
});

t.test('the hash table doubles at the 384th item and loses nobody (E-R4)', (t) => {
  let added = 0;
  const init: Body = function* (u) {
    yield* u.make('A', 511);
    for (let i = 0; i < 200; i++) {
      yield* u.pipe(`r${i}`, `w${i}`);
      for (const name of [`r${i}`, `w${i}`]) if ((yield* u.ctl('A', ADD, name, IN)) === 0) added++;
    }
  };
  const body: Body = function* (u) {
    let found = 0;
    for (let i = 0; i < 200; i++) {
      for (const name of [`r${i}`, `w${i}`]) if ((yield* u.ctl('A', MOD, name, IN)) === 0) found++;
    }
    yield* u.write('w199', 'a');
    yield* u.note('e', u.wait('A', 0));
    u.out.n = `${added}/${found}`;
  };
  t.same(all(V11, { init, threads: [body] }).outcomes, ['e={r199:1} n=400/400']);
  t.end();
});

t.test('the set as a device: errnos of open, ioctl, mmap, write (errno table)', (t) => {
  const { out } = alone(V11, function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.note('open', u.open('D', '/dev/epoll', 2));
    const ioctl = (command: number, argument = 0): Kernel<number> =>
      u.call('ioctl', u.fd.D, command, argument);
    const mmap = (pages: number, prot = 1, offset = 0): Kernel<number> =>
      u.call('mmap', u.fd.D, pages * 4096, prot, 2, offset);
    yield* u.note('big', ioctl(EP_ALLOC, 131073));
    yield* u.note('wrap', ioctl(EP_ALLOC, 0xffffffff));
    yield* u.note('free0', ioctl(EP_FREE));
    yield* u.note('full', u.ctl('D', ADD, 'r', IN));
    yield* u.note('alloc', ioctl(EP_ALLOC, 513));
    yield* u.note('same', ioctl(EP_ALLOC, 1024));
    yield* u.note('shrink', ioctl(EP_ALLOC, 1));
    yield* u.note('shrink0', ioctl(EP_ALLOC, 512));
    yield* u.note('unmapped', u.wait('D', 0));
    yield* u.note('writable', mmap(4, 3));
    yield* u.note('offset', mmap(4, 1, 4096));
    yield* u.note('length', mmap(2));
    const address = yield* mmap(4);
    u.out.mapped = String(address > 0);
    yield* u.note('busy', ioctl(EP_ALLOC, 9999));
    yield* u.note('busy2', ioctl(EP_FREE));
    yield* u.note('odd', u.call('write', u.fd.D, u.buffer, 7));
    yield* u.note('bad', u.call('write', u.fd.D, 0x10000, 8));
    yield* u.note(
      'put',
      u.device('D', [
        ['r', IN],
        [99, IN],
        ['w', OUT],
      ]),
    );
    yield* u.note(
      'again',
      u.device('D', [
        ['r', IN | HUP],
        ['w', POLLREMOVE],
        ['w', POLLREMOVE],
      ]),
    );
    u.kernel.mm.store(u.buffer, { fd: u.fd.r, events: 0, revents: 0 });
    yield* u.note('is', ioctl(EP_ISPOLLED, u.buffer));
    u.out.mask = JSON.stringify(u.kernel.mm.load(u.buffer));
    u.kernel.mm.store(u.buffer, { fd: u.fd.w, events: 0, revents: 0 });
    yield* u.note('isnt', ioctl(EP_ISPOLLED, u.buffer));
    yield* u.note('isbad', ioctl(EP_ISPOLLED, 0x10000));
    yield* u.note('pollbad', ioctl(EP_POLL, 0x10000));
    yield* u.note('other', ioctl(12345));
    yield* u.note('read', u.read('D', 8));
    yield* u.write('w', 'a');
    yield* u.note('level', u.poll('D', IN, 0));
    u.kernel.mm.store(u.buffer, { timeout: 0, resoff: 0 });
    yield* u.note('poll', ioctl(EP_POLL, u.buffer));
    u.out.off = JSON.stringify(u.kernel.mm.load(u.buffer));
    yield* u.note('slots', u.batch(address, 1));
    yield* u.note('unmap', u.call('munmap', address));
    yield* u.note('late', ioctl(EP_POLL, u.buffer));
    yield* u.note('free', ioctl(EP_FREE));
  });
  t.equal(
    out,
    'open=5 big=EINVAL wrap=0 free0=EINVAL full=E2BIG alloc=0 same=0 shrink=ENOMEM shrink0=ENOMEM ' +
      'unmapped=EINVAL writable=EACCES offset=EINVAL length=EINVAL mapped=true busy=EBUSY busy2=EBUSY odd=EINVAL ' +
      'bad=EFAULT put=16 again=16 is=1 mask={"fd":3,"events":17,"revents":0} isnt=0 isbad=0 pollbad=EFAULT ' +
      'other=EINVAL read=EINVAL level=1 poll=1 off={"timeout":0,"resoff":0} slots={r:1} unmap=0 late=EINVAL free=0',
  );
  t.end();
});

t.test('the timeout is rounded down and overflows like an int (E-B42)', (t) => {
  kernelConfig.hz = 100;
  t.equal(pollTicks(-1), Infinity);
  t.equal(pollTicks(9), 0);
  t.equal(pollTicks(10), 1);
  t.equal(pollTicks(-9), -0);
  t.equal(pollTicks(-20), -2);
  kernelConfig.hz = 1000;
  t.equal(pollTicks(2147483), 2147483);
  t.equal(pollTicks(2147484), Infinity);
  kernelConfig.longBits = 64;
  t.equal(pollTicks(2147484), Math.trunc((2147484000 | 0) / 1000));
  kernelConfig.longBits = 32;
  const { findings, out } = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.note('x', u.wait('A', -20));
    yield* u.note('y', u.wait('A', 20));
  });
  t.equal(out, 'x=0 y=0');
  t.ok(findings.has('WARN v11-PO9'));
  t.end();
});

t.test(
  'pipes: a write of no more than a page is atomic, and START stays where it is (E-R17, E-R18)',
  (t) => {
    const { out } = alone(V11, function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.note('a', u.write('w', 4046));
      yield* u.note('b', u.write('w', 100));
      yield* u.note('c', u.write('w', 5000));
      yield* u.note('d', u.write('w', 1));
      yield* u.note('e', u.poll('w', OUT | IN, 0));
      yield* u.note('f', u.read('r', 9999));
      yield* u.note('g', u.read('r', 1));
      yield* u.note('h', u.poll('r', OUT | IN, 0));
      yield* u.note('i', u.call('read', u.fd.w, u.buffer, 1));
      yield* u.note('j', u.call('write', u.fd.r, u.buffer, 1));
      yield* u.call('close', u.fd.r);
      yield* u.note('k', u.write('w', 1));
      yield* u.note('l', u.poll('w', 0, 0));
    });
    t.equal(
      out,
      'a=4046 b=EAGAIN c=50 d=EAGAIN e=1 f=4096 g=EAGAIN h=4 i=EBADF j=EBADF k=EPIPE l=8',
    );
    t.end();
  },
);

t.test('pipe edges: the lost ones of E-B19, E-B20 and E-B21, and the one that is not lost', (t) => {
  const wrapped: Body = function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.write('w', 100);
    yield* u.read('r', 100);
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.ctl('A', ADD, 'w', OUT);
  };
  const b20 = alone(V11, function* (u) {
    yield* wrapped(u);
    yield* u.note('n', u.write('w', 4096));
    yield* u.note('x', u.wait('A', 0));
    yield* u.note('m', u.read('r', 4096));
    yield* u.note('y', u.wait('A', 0));
  });
  t.equal(b20.out, 'n=4096 x=0 m=4096 y=0', 'both directions are lost when the ring wraps');
  const b19 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.ctl('A', ADD, 'w', OUT);
    yield* u.write('w', 4046);
    yield* u.note('e', u.write('w', 100));
    yield* u.read('r', 4096);
    yield* u.note('x', u.wait('A', 0));
    yield* u.write('w', 4096);
    yield* u.read('r', 1);
    yield* u.note('y', u.wait('A', 0));
    yield* u.note('z', u.poll('w', OUT, 0));
  });
  t.equal(b19.out, 'e=EAGAIN x=0 y={w:4} z=0');
  const both = all(V11, {
    *init(u) {
      yield* u.make('A', 10);
      yield* u.pipe('r', 'w', 0);
      yield* u.write('w', 100);
      yield* u.read('r', 100);
      yield* u.ctl('A', ADD, 'r', IN);
    },
    threads: [(u) => u.note('x', u.wait('A', -1)), (u) => u.note('n', u.write('w', 5000))],
    names: ['x', 'n'],
  });
  t.same(both.outcomes, ['x=⊥ n=⊥'], 'the blocking writer of E-B20 hangs with its reader');
  t.end();
});

t.test('one thread is enough for E-B6, E-B7, E-B8, E-B9', (t) => {
  const b6 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.ctl('A', ADD, 'r', IN);
    u.fd.d = yield* u.call('dup', u.fd.r);
    yield* u.ctl('A', ADD, 'd', IN);
    yield* u.note('del', u.ctl('A', DEL, 'd'));
    yield* u.write('w', 'a');
    yield* u.note('x', u.wait('A', 0));
  });
  t.ok(has(b6, 'KASAN-UAF v11-NP1 / v11-RM6'), 'E-B6');
  const b7 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.make('B', 10);
    yield* u.pipe('r', 'w');
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.ctl('B', ADD, 'r', IN);
    yield* u.ctl('B', DEL, 'r');
    yield* u.write('w', 'a');
    yield* u.note('x', u.wait('A', 0));
  });
  t.equal(b7.out, 'x=0');
  t.ok(has(b7, 'KASAN-UAF v11-NP1 / v11-RM6'), 'E-B7');
  const b8 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.call('close', u.fd.r);
    yield* u.note('x', u.ctl('A', DEL, 'r'));
  });
  t.equal(b8.out, 'x=0');
  t.ok(has(b8, 'KASAN-UAF v11-RM1 / __fput'), 'E-B8');
  const b9 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.pipe('r', 'w');
    yield* u.ctl('A', ADD, 'r', IN);
    yield* u.call('close', u.fd.r);
  });
  t.ok(has(b9, 'KASAN-UAF v11-ep_free / __fput'), 'E-B9');
  t.end();
});

t.test(
  'numbers that were closed: E-B10, E-B11; masks: E-B14, E-B16, E-B17; deaf files: E-B18, E-B23',
  (t) => {
    const b10 = alone(V11, function* (u) {
      yield* u.make('A', 10);
      yield* u.pipe('r', 'w');
      yield* u.ctl('A', ADD, 'r', IN);
      yield* u.write('w', 'a');
      yield* u.call('close', u.fd.r);
      yield* u.pipe('r', 'w2');
      yield* u.note('stale', u.wait('A', 0));
      yield* u.note('add', u.ctl('A', ADD, 'r', IN));
      yield* u.note('mod', u.ctl('A', MOD, 'r', IN));
      yield* u.write('w2', 'a');
      yield* u.note('x', u.wait('A', 0));
    });
    t.equal(b10.out, 'stale={r:1} add=EEXIST mod=0 x=0');
    const masks = alone(V11, function* (u) {
      yield* u.make('A', 10);
      yield* u.pipe('r', 'w');
      yield* u.ctl('A', ADD, 'r', OUT);
      yield* u.write('w', 'a');
      yield* u.ctl('A', MOD, 'r', IN);
      yield* u.note('b14', u.wait('A', 0));
      yield* u.read('r', 1);
      yield* u.write('w', 'a');
      yield* u.ctl('A', MOD, 'r', OUT);
      yield* u.note('b16', u.wait('A', 0));
      yield* u.ctl('A', MOD, 'r', IN);
      yield* u.call('close', u.fd.w);
      yield* u.note('b17', u.wait('A', 0));
    });
    t.equal(masks.out, 'b14=0 b16={r:1} b17=0');
    const deaf = alone(V11, function* (u) {
      yield* u.make('A', 10);
      yield* u.pipe('r', 'w');
      u.kernel.mm.store(u.buffer, 'f');
      yield* u.call('mkfifo', u.buffer);
      yield* u.open('f', 'f', 2 | O_NONBLOCK);
      yield* u.open('tty', '/dev/tty', 0);
      yield* u.open('file', '/tmp/file', 0);
      yield* u.open('r2', `/proc/self/fd/${u.fd.r}`, O_NONBLOCK);
      const results: string[] = [];
      for (const name of ['f', 'tty', 'file', 'A', 'r2'])
        results.push(show(yield* u.ctl('A', ADD, name, IN)));
      u.out.adds = results.join();
      yield* u.write('f', 'a');
      yield* u.write('w', 'a');
      yield* u.note('x', u.wait('A', 0));
      yield* u.note('y', u.read('r2', 5));
      yield* u.note('z', u.read('f', 5));
    });
    t.equal(deaf.out, 'adds=0,0,0,0,0 x=0 y=1 z=1');
    const b22 = alone(V11, function* (u) {
      yield* u.pipe('r', 'w');
      yield* u.open('r2', `/proc/self/fd/${u.fd.r}`, O_NONBLOCK);
      yield* u.call('close', u.fd.r);
      yield* u.note('n', u.write('w', 'a'));
    });
    t.ok(has(b22, 'KASAN-UAF v11-FN1 / __fput'), 'E-B22');
    t.end();
  },
);

t.test('buffers: E-B28, E-B29, E-B31, E-B39, E-B40', (t) => {
  const b28 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.note('x', u.call('close', u.fd.A));
  });
  t.ok(b28.findings.has('LEAK v11-EC10'), 'E-B28');
  const b29 = alone(V11, function* (u) {
    yield* u.open('D', '/dev/epoll', 2);
    yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
    const p = yield* u.call('mmap', u.fd.D, 8192, 1, 2, 0);
    yield* u.call('mmap', u.fd.D, 8192, 1, 2, 0);
    yield* u.call('munmap', p);
    yield* u.note('w', u.wait('D', 0));
    yield* u.note('f', u.call('ioctl', u.fd.D, EP_FREE, 0));
  });
  t.equal(b29.out, 'w=EINVAL f=0');
  t.ok(b29.findings.has('INFOLEAK v11-EP_FREE'), 'E-B29');
  const b31 = alone(V11, function* (u) {
    yield* u.open('D', '/dev/epoll', 2);
    yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
    yield* u.pipe('r', 'w');
    yield* u.device('D', [['r', IN]]);
    yield* u.write('w', 'a');
    yield* u.call('ioctl', u.fd.D, EP_FREE, 0);
    yield* u.read('r', 1);
    yield* u.write('w', 'a');
    yield* u.note('p', u.poll('D', IN, 0));
    yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
    yield* u.call('mmap', u.fd.D, 8192, 1, 2, 0);
    yield* u.note('x', u.wait('D', 0));
  });
  t.equal(b31.out, 'p=1 x={fd0:0}');
  t.ok(has(b31, 'KASAN-UAF v11-NP5 / v11-EP_FREE'), 'E-B31');
  const b39 = alone(V11, function* (u) {
    yield* u.open('D', '/dev/epoll', 2);
    yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
    yield* u.pipe('r', 'w');
    yield* u.ctl('D', ADD, 'r', IN);
    yield* u.call('ioctl', u.fd.D, EP_FREE, 0);
    yield* u.write('w', 'a');
    yield* u.call('ioctl', u.fd.D, EP_ALLOC, 1);
    yield* u.call('mmap', u.fd.D, 8192, 1, 2, 0);
    yield* u.note('x', u.wait('D', 0));
  });
  t.equal(b39.out, 'x=0', 'E-B39');
  const b40 = alone(V11, function* (u) {
    yield* u.make('A', 10);
    yield* u.note('x', u.device('A', [[-5, IN]]));
  });
  t.equal(b40.out, 'x=0');
  t.ok(b40.findings.has('KASAN-OOB v11-write_eventpoll'), 'E-B40');
  t.end();
});
