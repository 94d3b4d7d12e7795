import t from 'tap';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import {
  engine,
  faults,
  handleSignals,
  resetMemory,
  resetTasks,
  resetTimers,
  taskConfig,
  type Kernel,
  type Scenario,
} from '../machine/index.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { EP_ALLOC, EP_FREE, EP_ISPOLLED, EP_POLL } from './drivers/char/eventpoll-device.ts';
import { loadSlots } from './drivers/char/eventpoll-map.ts';
import { pollTicks } from './drivers/char/eventpoll-poll.ts';
import { epFdsPages } from './drivers/char/eventpoll.ts';
import { E, kernelConfig, type BuiltKernel } from './kernel.ts';
import { buildKernel, listKernels, parseKernelSpec } from './series/index.ts';

const V11 = '2.5.44+sys_epoll-v11';
const ACSEM = `${V11}+epoll-acsem`;
const ADDT = `${V11}+epoll-add-and-test`;

const IN = 0x1;
const OUT = 0x4;
const HUP = 0x10;
const RDNORM = 0x40;
const POLLREMOVE = 0x1000;
const O_NONBLOCK = 0o4000;
const ADD = 1;
const DEL = 2;
const MOD = 3;
const ADD_AND_TEST = 4;

const ERRNO = new Map(Object.entries(E).map(([name, n]) => [-n, name]));

/** An answer as text: a number or the name of the errno. */
function show(result: number): string {
  return ERRNO.get(result) ?? String(result);
}

/** A C library small enough for these tests: one per thread. */
class Libc {
  readonly kernel: BuiltKernel;
  readonly out: Record<string, string>;
  readonly fd: Record<string, number>;
  readonly buffer: number;

  constructor(kernel: BuiltKernel, out: Record<string, string>, fd: Record<string, number>) {
    this.kernel = kernel;
    this.out = out;
    this.fd = fd;
    this.buffer = kernel.mm.map(65536, true, true).start;
  }

  *call(name: string, ...args: number[]): Kernel<number> {
    const syscall = this.kernel.syscalls.get(name);
    if (syscall === undefined) return -E.ENOSYS;
    return yield* syscall(args);
  }

  *pipe(r: string, w: string, flags = O_NONBLOCK): Kernel<void> {
    const result = yield* this.call('pipe2', this.buffer, flags);
    if (result < 0) throw new Error(`pipe2: ${show(result)}`);
    this.fd[r] = Number(this.kernel.mm.load(this.buffer));
    this.fd[w] = Number(this.kernel.mm.load(this.buffer + 4));
  }

  *write(name: string, text: string | number): Kernel<number> {
    const bytes = typeof text === 'number' ? 'x'.repeat(text) : text;
    this.kernel.mm.store(this.buffer, bytes);
    return yield* this.call('write', this.fd[name], this.buffer, bytes.length);
  }

  *read(name: string, count: number): Kernel<number> {
    return yield* this.call('read', this.fd[name], this.buffer, count);
  }

  *ctl(set: string, op: number, name: string | number, events = 0): Kernel<number> {
    const fd = typeof name === 'number' ? name : this.fd[name];
    return yield* this.call('epoll_ctl', this.fd[set], op, fd, events);
  }

  /** Waits and shows the batch as `{r:1,w:4}` in order. */
  *wait(set: string, timeoutMs: number): Kernel<string> {
    const n = yield* this.call('epoll_wait', this.fd[set], this.buffer, timeoutMs);
    if (n <= 0) return show(n);
    return yield* this.batch(Number(this.kernel.mm.load(this.buffer)), n);
  }

  *batch(address: number, n: number): Kernel<string> {
    const slots = yield* loadSlots(address, n);
    const names = Object.entries(this.fd);
    const nameOf = (fd: number): string =>
      names.find(([, value]) => value === fd)?.[0] ?? `fd${fd}`;
    return `{${slots.map((slot) => `${nameOf(slot.fd)}:${slot.revents}`).join(',')}}`;
  }

  *poll(name: string, events: number, timeoutMs: number): Kernel<number> {
    const at = this.buffer + 32768;
    this.kernel.mm.store(at, { fd: this.fd[name], events, revents: 0 });
    const n = yield* this.call('poll', at, 1, timeoutMs);
    const stored = this.kernel.mm.load(at);
    const revents =
      typeof stored === 'object' && stored !== null && 'revents' in stored
        ? Number(stored.revents)
        : 0;
    return n < 0 ? n : revents;
  }

  *open(name: string, path: string, flags: number): Kernel<number> {
    this.kernel.mm.store(this.buffer, path);
    const fd = yield* this.call('open', this.buffer, flags);
    if (fd >= 0) this.fd[name] = fd;
    return fd;
  }

  *make(set: string, maxfds: number): Kernel<number> {
    const fd = yield* this.call('epoll_create', maxfds);
    this.fd[set] = fd;
    return fd;
  }

  /** write(2) of pollfds to a set. */
  *device(set: string, entries: readonly (readonly [string | number, number])[]): Kernel<number> {
    for (const [i, [name, events]] of entries.entries()) {
      const fd = typeof name === 'number' ? name : this.fd[name];
      this.kernel.mm.store(this.buffer + 8 * i, { fd, events, revents: 0 });
    }
    return yield* this.call('write', this.fd[set], this.buffer, 8 * entries.length);
  }

  *note(name: string, body: Kernel<number | string>): Kernel<void> {
    const result = yield* body;
    this.out[name] = typeof result === 'number' ? show(result) : result;
  }
}

type Body = (u: Libc) => Kernel<void>;

interface Litmus {
  readonly init?: Body;
  readonly threads?: readonly Body[];
  /** Names that may be missing in an outcome: shown as ⊥. */
  readonly names?: readonly string[];
  readonly signals?: boolean;
  readonly faults?: number;
  readonly most?: number;
}

interface Seen {
  readonly outcomes: readonly string[];
  readonly findings: ReadonlySet<string>;
  readonly executions: number;
  readonly end: string;
}

function has(seen: Seen, finding: string): boolean {
  return [...seen.findings].some((f) => f.startsWith(finding));
}

/** Explores every trace and collects outcomes and findings. */
function all(spec: string, litmus: Litmus): Seen {
  const kernel = buildKernel(spec);
  const { init, threads = [], names = [] } = litmus;
  let out: Record<string, string> = {};
  let users: Libc[] = [];
  const scenario: Scenario = {
    threads: threads.length,
    *init() {
      resetMemory();
      resetTimers();
      resetTasks(threads.length);
      kernelConfig.hz = 1000;
      kernelConfig.closesInThreads = true;
      taskConfig.signalsInUse = litmus.signals ?? false;
      faults.perThread = litmus.faults ?? 0;
      faults.taken.fill(0);
      kernel.boot();
      out = {};
      const first = new Libc(kernel, out, {});
      users = threads.map(() => new Libc(kernel, out, Object.create(first.fd)));
      if (init !== undefined) yield* init(first);
      for (const user of users) Object.assign(user.fd, first.fd);
    },
    *body(thread) {
      yield* threads[thread](users[thread]);
      if (litmus.signals === true) yield* handleSignals('signals');
    },
    *exit() {
      yield* kernel.exit();
    },
  };
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  engine.timers = 'idle';
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  const end = explore(
    engine,
    scenario,
    new Dpor(engine),
    () => {
      executions++;
      const shown = new Set([...names, ...Object.keys(out)]);
      outcomes.add([...shown].map((name) => `${name}=${out[name] ?? '⊥'}`).join(' '));
      for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
    },
    { executions: litmus.most ?? 20000 },
  );
  return { outcomes: [...outcomes].sort(), findings, executions, end };
}

/** Runs one thread alone and answers what it noted, with the findings. */
function alone(spec: string, body: Body): { readonly out: string } & Seen {
  const seen = all(spec, { threads: [body] });
  if (seen.outcomes.length !== 1) throw new Error(`one thread, but ${seen.outcomes.join(' / ')}`);
  return { ...seen, out: seen.outcomes[0] };
}

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
    ['', 'no base ""; there is 2.5.44, 2.6.20'],
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
