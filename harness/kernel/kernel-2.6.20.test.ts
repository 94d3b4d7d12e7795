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
import { build2620 } from './build-2.6.20.ts';
import { maxTimeoutMs, timeoutTicks } from './fs/eventpoll-wait.ts';
import { E, kernelConfig, type BuiltKernel } from './kernel.ts';
import { SNDBUF } from './net/socket.ts';

const IN = 0x1;
const OUT = 0x4;
const ET = 0x80000000;
const ONESHOT = 0x40000000;
const O_NONBLOCK = 0o4000;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const ADD = 1;
const DEL = 2;
const MOD = 3;
const EVENT_SIZE = 12;

const ERRNO = new Map(Object.entries(E).map(([name, n]) => [-n, name]));
const MASKS: readonly (readonly [string, number])[] = [
  ['IN', 1],
  ['PRI', 2],
  ['OUT', 4],
  ['ERR', 8],
  ['HUP', 16],
  ['NVAL', 32],
  ['RDNORM', 64],
  ['WRNORM', 256],
  ['WRBAND', 512],
  ['RDHUP', 0x2000],
];

function show(result: number): string {
  return ERRNO.get(result) ?? String(result);
}

function maskText(mask: number): string {
  return MASKS.filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name)
    .join('|');
}

/** A C library small enough for these tests: one per thread. The user data of a registration is its name. */
class Libc {
  readonly kernel: BuiltKernel;
  readonly fd: Record<string, number>;
  /** Results by name, in the order they came. */
  readonly out: Map<string, string>;
  readonly buffer: number;

  constructor(kernel: BuiltKernel, fd: Record<string, number>, out: Map<string, string>) {
    this.kernel = kernel;
    this.fd = fd;
    this.out = out;
    this.buffer = kernel.mm.map(0x40000, true, true).start;
  }

  number(name: string | number): number {
    return typeof name === 'number' ? name : (this.fd[name] ?? -1);
  }

  *call(name: string, ...args: number[]): Kernel<number> {
    const syscall = this.kernel.syscalls.get(name);
    const result = syscall === undefined ? -E.ENOSYS : yield* syscall(args);
    if (taskConfig.signalsInUse && !engine.inline) yield* handleSignals('test');
    return result;
  }

  *two(call: string, first: string, second: string, args: readonly number[]): Kernel<void> {
    const result = yield* this.call(call, ...args);
    if (result < 0) throw new Error(`${call}: ${show(result)}`);
    this.fd[first] = Number(this.kernel.mm.load(this.buffer));
    this.fd[second] = Number(this.kernel.mm.load(this.buffer + 4));
  }

  *pipe(r: string, w: string, flags = O_NONBLOCK): Kernel<void> {
    yield* this.two('pipe2', r, w, [this.buffer, flags]);
  }

  *pair(s: string, u: string, type = SOCK_STREAM | O_NONBLOCK): Kernel<void> {
    yield* this.two('socketpair', s, u, [1, type, 0, this.buffer]);
  }

  /** A call that answers a descriptor, which gets the name. */
  *make(name: string, call: string, ...args: number[]): Kernel<string> {
    const fd = yield* this.call(call, ...args);
    this.fd[name] = fd;
    return fd < 0 ? show(fd) : 'ok';
  }

  *open(name: string, path: string, flags: number): Kernel<string> {
    this.kernel.mm.store(this.buffer, path);
    return yield* this.make(name, 'open', this.buffer, flags);
  }

  *write(name: string | number, data: string | number): Kernel<string> {
    const text = typeof data === 'number' ? 'x'.repeat(data) : data;
    this.kernel.mm.store(this.buffer, text);
    return show(yield* this.call('write', this.number(name), this.buffer, text.length));
  }

  /** Short data in quotes, else the count. */
  *read(name: string | number, count: number): Kernel<string> {
    const n = yield* this.call('read', this.number(name), this.buffer, count);
    const data = this.kernel.mm.load(this.buffer);
    return n > 0 && n < 10 && typeof data === 'string' ? `"${data.slice(0, n)}"` : show(n);
  }

  *close(name: string | number): Kernel<string> {
    return show(yield* this.call('close', this.number(name)));
  }

  *ctl(set: string | number, op: number, name: string | number, events = 0): Kernel<string> {
    this.kernel.mm.store(this.buffer, { events, data: String(name) });
    return show(
      yield* this.call('epoll_ctl', this.number(set), op, this.number(name), this.buffer),
    );
  }

  /** The batch in order, as `r:IN w:OUT`. */
  *wait(
    set: string | number,
    max: number,
    timeoutMs: number,
    address = this.buffer,
  ): Kernel<string> {
    const n = yield* this.call('epoll_wait', this.number(set), address, max, timeoutMs);
    if (n <= 0) return show(n);
    const events: string[] = [];
    for (let i = 0; i < n; i++)
      events.push(eventText(this.kernel.mm.load(address + i * EVENT_SIZE)));
    return events.join(' ');
  }

  *poll(name: string | number, events: number, timeoutMs: number): Kernel<string> {
    this.kernel.mm.store(this.buffer, { fd: this.number(name), events, revents: 0 });
    const n = yield* this.call('poll', this.buffer, 1, timeoutMs);
    const stored = this.kernel.mm.load(this.buffer);
    const hasMask = typeof stored === 'object' && stored !== null && 'revents' in stored;
    return n <= 0 || !hasMask ? show(n) : maskText(Number(stored.revents));
  }

  *note(name: string, body: Kernel<string>): Kernel<void> {
    this.out.set(name, yield* body);
  }
}

function eventText(event: unknown): string {
  if (typeof event !== 'object' || event === null || !('events' in event) || !('data' in event))
    return '?';
  return `${String(event.data)}:${maskText(Number(event.events))}`;
}

type Body = (u: Libc) => Kernel<void>;

interface Litmus {
  readonly init?: Body;
  readonly threads?: readonly Body[];
  readonly signals?: boolean;
  readonly faults?: number;
  readonly hz?: number;
}

interface Seen {
  readonly outcomes: string[];
  readonly findings: string[];
  readonly executions: number;
}

/** Explores to the end; an outcome is every noted result by name, in order of names. */
function run(litmus: Litmus): Seen {
  const kernel = build2620();
  const threads = litmus.threads ?? [];
  const out = new Map<string, string>();
  const fd: Record<string, number> = {};
  const users: Libc[] = [];
  const scenario: Scenario = {
    threads: threads.length,
    *init() {
      out.clear();
      resetMemory();
      resetTimers();
      resetTasks(threads.length);
      faults.taken.fill(0);
      kernel.boot();
      users.length = 0;
      for (let i = 0; i < threads.length; i++) users.push(new Libc(kernel, fd, out));
      if (litmus.init !== undefined) yield* litmus.init(new Libc(kernel, fd, out));
    },
    body: (i) => threads[i](users[i]),
    exit: () => kernel.exit(),
  };
  faults.perThread = litmus.faults ?? 0;
  taskConfig.signalsInUse = litmus.signals ?? false;
  kernelConfig.hz = litmus.hz ?? 1000;
  kernelConfig.closesInThreads = true;
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  explore(engine, scenario, new Dpor(engine), () => {
    executions++;
    const names = [...out.keys()].sort();
    outcomes.add(names.map((name) => `${name}=${out.get(name)}`).join(', '));
    for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
  });
  return { outcomes: [...outcomes].sort(), findings: [...findings].sort(), executions };
}

/** One thread, no choice: the results in the order they were noted, then findings. */
function sequence(body: Body, options: Omit<Litmus, 'threads'> = {}): string[] {
  const lines: string[] = [];
  const seen = run({
    ...options,
    threads: [
      function* (u) {
        lines.length = 0;
        yield* body(u);
        for (const [name, value] of u.out) lines.push(`${name}=${value}`);
      },
    ],
  });
  return [...lines, ...seen.findings];
}

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
  });
  t.same(lines, ['full=EAGAIN', 'lie=OUT', 'silence=0', 'sent=1', 'a pair has no such limit=1']);
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
