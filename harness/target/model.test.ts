import t from 'tap';
import { signatureOf } from '../history/history.ts';
import {
  drawFromSeed,
  generateProgram,
  profileOf,
  withoutAio,
} from '../program/arbitrary/index.ts';
import { printProgram } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from './model.ts';
import { difference, hiddenState, texts, tracesMissed, tracesOf } from './model.test-kit.ts';
import type { Behaviour, RunOptions } from './target.ts';

const V11 = '2.5.44+sys_epoll-v11';
const K2620 = '2.6.20';
/** Programs per kernel. */
const PROGRAMS = 60;
const SEED = 20_261_120;

function programOf(kernel: string, seed: number): Program {
  return generateProgram(drawFromSeed(seed), {
    profile: withoutAio(profileOf(kernel)),
    threads: { min: 2, max: 2 },
    callsPerThread: { min: 1, max: 2 },
    initCalls: { min: 2, max: 5 },
  });
}

const VARIANTS: readonly (readonly [string, RunOptions])[] = [
  ['plain', {}],
  ['one failure a thread', { faults: 1 }],
  ['timers at any time', { timers: 'any' }],
];

for (const kernel of [V11, K2620]) {
  t.test(
    `generated programs on ${kernel}: dpor, brute force and sampling agree, and no trace hides state`,
    (t) => {
      const wrong: string[] = [];
      for (let i = 0; i < PROGRAMS; i++) {
        const program = programOf(kernel, SEED + i);
        const [name, options] = VARIANTS[i % VARIANTS.length] ?? ['plain', {}];
        const why = difference(kernel, program, options) || hiddenState(kernel, program, options);
        if (why !== '') wrong.push(`seed ${SEED + i}, ${name}: ${why}\n${printProgram(program)}`);
      }
      t.same(wrong, []);
      t.end();
    },
  );
}

const SET = '  A = epoll_create(10)\n  r, w = pipe2(O_NONBLOCK)\n';
const ADDED = `${SET}  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n`;

/** Kernel, bug or rule, program, traces, outcomes. */
const COUNTED: readonly (readonly [string, string, string, number, number])[] = [
  [
    V11,
    'E-B1',
    `init:\n${SET}T1:\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  x = epoll_wait(A, 8, -1)\nT2:\n  n = write(w, "a")\n`,
    3,
    2,
  ],
  [
    V11,
    'E-B2',
    `init:\n${ADDED}T1:\n  x = epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN|EPOLLPRI)\nT2:\n  y = epoll_ctl(A, EPOLL_CTL_DEL, r, EPOLLIN)\n`,
    2,
    2,
  ],
  [
    V11,
    'E-B5',
    `init:\n${SET}T1:\n  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT2:\n  b = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n  write(w, "a")\n  x = epoll_wait(A, 8, 0)\n`,
    21,
    5,
  ],
  [
    V11,
    'E-B25',
    'init:\n  r, w = pipe2(O_NONBLOCK)\nT1:\n  A = epoll_create(10)\nT2:\n  x = epoll_ctl(5, EPOLL_CTL_ADD, r, EPOLLIN)\n',
    8,
    4,
  ],
  [
    V11,
    'E-B30',
    'init:\n  D = open("/dev/epoll", O_RDWR)\n  ioctl(D, EP_ALLOC, 10)\nT1:\n  f = ioctl(D, EP_FREE)\nT2:\n  m = mmap(D, 2)\n',
    4,
    3,
  ],
  [
    V11,
    'the MOD against DEL of the thread of 2002',
    'init:\n  A = epoll_create(10)\n  s, u = socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLIN)\nT1:\n  x = epoll_ctl(A, EPOLL_CTL_MOD, s, EPOLLOUT)\nT2:\n  y = epoll_ctl(A, EPOLL_CTL_DEL, s, EPOLLOUT)\n',
    2,
    2,
  ],
  [
    K2620,
    'E-B48',
    `init:\n${ADDED}  write(w, "a")\nT1:\n  x = epoll_wait(A, 8, 0)\nT2:\n  y = epoll_wait(A, 8, 0)\n`,
    44,
    3,
  ],
  [
    K2620,
    'E-B50',
    `init:\n${SET}  q, v = pipe2(O_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)\n  epoll_ctl(A, EPOLL_CTL_ADD, q, EPOLLIN|EPOLLET)\nT1:\n  p = poll([A:POLLIN], -1)\n  y = epoll_wait(A, 8, 0)\n  z = poll([A:POLLIN], -1) if y == {r:IN}\nT2:\n  write(w, "a")\nT3:\n  write(v, "b")\n`,
    224,
    5,
  ],
  [
    K2620,
    'E-B56',
    `init:\n${ADDED}  write(w, "a")\nT1:\n  x = epoll_wait(A, 8, 0)\nT2:\n  y = close(r)\n`,
    5,
    2,
  ],
  [
    K2620,
    'E-N8',
    `init:\n${SET}T1:\n  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)\n  x = epoll_wait(A, 8, -1)\nT2:\n  write(w, "a")\n`,
    9,
    1,
  ],
  [K2620, 'E-N10', `init:\n${ADDED}T1:\n  x = close(A)\nT2:\n  y = close(r)\n`, 6, 1],
];

const AIO = '2.6.20+fs-aio';
const BATCHES = '3.1';
const PIPE = 'init:\n  r, w = pipe2(O_NONBLOCK)\nT1:\n  x = write(w, "a")\nT2:\n  y = read(r, 4)\n';
const MOD_DEL = `init:\n${ADDED}T1:\n  x = epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN)\nT2:\n  y = epoll_ctl(A, EPOLL_CTL_DEL, r, EPOLLIN)\n`;
const WAIT = `init:\n${ADDED}T1:\n  x = epoll_wait(A, 1, 0)\nT2:\n  y = write(w, "a")\n`;
const CONTEXT = 'init:\n  c = io_setup(1)\n';
const SETUPS = 'T1:\n  c = io_setup(1)\nT2:\n  d = io_setup(1)\n';
const GETEVENTS = `${CONTEXT}T1:\n  x = io_getevents(c, 0, 1, 0)\nT2:\n  y = io_getevents(c, 0, 1, 0)\n`;
const REFUSED = `${CONTEXT}T1:\n  x = io_submit(c, [a: pread(99, 1)])\nT2:\n  y = io_getevents(c, 0, 1, 0)\n`;
const EMPTY = `${CONTEXT}T1:\n  x = io_submit(c, [])\nT2:\n  y = io_submit(c, [])\n`;
const DESTROYS = `${CONTEXT}T1:\n  x = io_destroy(c)\nT2:\n  y = io_destroy(c)\n`;
const DESTROYED = `${CONTEXT}T1:\n  x = io_destroy(c)\nT2:\n  y = io_getevents(c, 0, 1, 0)\n`;
const FILE = `${CONTEXT}  f = open("/tmp/file", O_RDWR)\n`;
const CLOSED = `${FILE}T1:\n  x = io_submit(c, [a: pread(f, 1)])\nT2:\n  y = close(f)\n`;
const TAKEN = `${FILE}  io_submit(c, [a: pread(f, 1)])\nT1:\n  x = io_getevents(c, 0, 1, 0)\nT2:\n  y = io_getevents(c, 0, 1, 0)\n`;

/** Kernel, program, traces, interleavings: small enough for every one of them. */
const BRUTE: readonly (readonly [string, string, number, number])[] = [
  [V11, PIPE, 2, 6],
  [V11, MOD_DEL, 2, 81],
  [K2620, PIPE, 3, 12],
  [K2620, WAIT, 2, 26],
  [AIO, SETUPS, 16, 2710],
  [AIO, GETEVENTS, 1, 462],
  [AIO, REFUSED, 1, 126],
  [BATCHES, SETUPS, 16, 2710],
  [BATCHES, GETEVENTS, 1, 462],
  [BATCHES, EMPTY, 1, 35],
];

/** Kernel, program, traces: too large for that; other reductions are asked. */
const REDUCED: readonly (readonly [string, string, number])[] = [
  [K2620, `init:\n${ADDED}T1:\n  x = close(A)\nT2:\n  y = close(r)\n`, 6],
  [AIO, DESTROYS, 40],
  [AIO, DESTROYED, 4],
  [AIO, CLOSED, 10],
  [AIO, TAKEN, 4],
  [BATCHES, DESTROYS, 76],
  [BATCHES, DESTROYED, 4],
  [BATCHES, CLOSED, 17],
  [BATCHES, TAKEN, 4],
];

/** Programs in which something other than pipes, sockets and sets is raced over, and all that can come of it. */
const RACED: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    K2620,
    'the text of a regular file',
    'init:\n  f = open("/tmp/file", O_RDWR)\n  g = open("/tmp/file", O_RDWR)\nT1:\n  x = write(f, "a")\nT2:\n  y = read(g, 4)\n',
    ['x=1 y=0', 'x=1 y=1'],
  ],
  [
    K2620,
    'the ends of a pipe, by a second open',
    'init:\n  A = epoll_create(1)\n  r, w = pipe2(O_NONBLOCK)\n  epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT)\n  close(r)\nT1:\n  q = open("/proc/self/fd/", w)\nT2:\n  x = epoll_wait(A, 8, 0)\n',
    ['x=[w:OUT]', 'x=[w:OUT|ERR]'],
  ],
  [
    V11,
    'HUP of a FIFO that is being opened for writing',
    'init:\n  mkfifo("f")\n  r = open("f", O_RDONLY|O_NONBLOCK)\nT1:\n  w = open("f", O_WRONLY|O_NONBLOCK)\nT2:\n  p = poll([r:POLLIN], 0)\n',
    ['p=[]'],
  ],
  [
    K2620,
    'a number that another file has come to while poll sleeps',
    'init:\n  r, w = pipe2(O_NONBLOCK)\n  q, v = pipe2(O_NONBLOCK)\n  write(v, "a")\nT1:\n  x = poll([r:POLLIN], -1)\nT2:\n  y = dup2(q, r)\n',
    ['x=[r:IN]', 'x=hang'],
  ],
];

t.test('the traces of known programs are counted', (t) => {
  for (const [kernel, what, text, traces, outcomes] of COUNTED) {
    const seen = modelTarget(kernel).run(parseProgram(text, what), {});
    t.same(
      [seen.broken, seen.complete, seen.traces, seen.outcomes.length],
      [undefined, true, traces, outcomes],
      what,
    );
  }
  t.end();
});

t.test('the traces of fixed programs are those of every interleaving, counted', (t) => {
  for (const [kernel, text, traces, interleavings] of BRUTE) {
    const program = parseProgram(text, kernel);
    const exact = tracesOf(kernel, program, 'dpor');
    const all = tracesOf(kernel, program, 'dfs');
    t.same(all.traces, exact.traces, text);
    t.same(
      [exact.executions, exact.traces.length, all.executions],
      [traces, traces, interleavings],
    );
  }
  t.end();
});

t.test('the traces of larger ones are those of other reductions, counted', (t) => {
  for (const [kernel, text, traces] of REDUCED) {
    const program = parseProgram(text, kernel);
    const exact = tracesOf(kernel, program, 'dpor');
    t.same([exact.executions, exact.traces.length], [traces, traces]);
    for (const strategy of ['source-dpor', 'sleep-sets'])
      t.same(tracesOf(kernel, program, strategy).traces, exact.traces, `${strategy}: ${text}`);
  }
  t.end();
});

t.test('what two threads can see of each other is a step', (t) => {
  for (const [kernel, what, text, outcomes] of RACED) {
    const seen = modelTarget(kernel).run(parseProgram(text, what), {});
    t.same(texts(seen), outcomes, what);
    t.same(
      seen.findings.map((f) => signatureOf(f.finding)).filter((s) => s.startsWith('HUNG')),
      [],
      `${what}: no HUNG`,
    );
  }
  t.end();
});

t.test('a sender that waits for a datagram socket which is closed: no trace is missed', (t) => {
  const full = '  write(s, "a")\n'.repeat(11);
  const text = `init:\n  l = listen(SOCK_DGRAM)\n  s = connect(l, SOCK_DGRAM)\n${full}T1:\n  x = write(s, "b")\nT2:\n  y = close(l)\n`;
  const program = parseProgram(text, 'datagrams');
  t.same(texts(modelTarget(K2620).run(program, {})), ['x=ECONNREFUSED y=0']);
  t.equal(tracesMissed(K2620, program, {}), 0);
  t.end();
});

/** Everything that a user is shown of a behaviour. */
function bytes(behaviour: Behaviour): string {
  const outcomes = behaviour.outcomes.map((o) => [o.text, o.times, o.since, o.schedule]);
  const findings = behaviour.findings.map((f) => [f.finding, f.times, f.since, f.schedule]);
  return JSON.stringify([behaviour.executions, behaviour.traces, outcomes, findings]);
}

t.test('the same program, kernel and schedule give the same bytes', (t) => {
  for (const [kernel, what, text] of COUNTED) {
    const program = parseProgram(text, what);
    const target = modelTarget(kernel);
    const first = target.run(program, {});
    modelTarget(kernel === V11 ? K2620 : V11).run(programOf(kernel, SEED), { runs: 3 });
    const second = modelTarget(kernel).run(parseProgram(text, what), {});
    t.equal(bytes(second), bytes(first), what);
  }
  t.end();
});

t.test('what is said to be met first in an execution is met there, and not before', (t) => {
  for (const [kernel, what, text] of COUNTED) {
    const program = parseProgram(text, what);
    const target = modelTarget(kernel);
    const whole = target.run(program, {});
    const has = (name: string, runs: number): boolean => {
      const part = runs === 0 ? null : target.run(program, { runs });
      const findings = part?.findings.map((f) => signatureOf(f.finding)) ?? [];
      return findings.includes(name) || (part !== null && texts(part).includes(name));
    };
    const met = [
      ...whole.outcomes.map((o) => ({ name: o.text, since: o.since ?? 0 })),
      ...whole.findings.map((f) => ({ name: signatureOf(f.finding), since: f.since ?? 0 })),
    ];
    t.ok(met.length > 0, what);
    for (const { name, since } of met)
      t.same([has(name, since - 1), has(name, since)], [false, true], `${what}: ${name}, ${since}`);
  }
  t.end();
});

t.test('in slices it is the same, and can be told to stop in a pause', (t) => {
  const slices = (text: string, kernel: string, options: RunOptions, pause: () => void) => {
    const all = modelTarget(kernel).slices(parseProgram(text, 'test'), options);
    for (;;) {
      const { done, value } = all.next();
      if (done === true) return value;
      pause();
    }
  };
  for (const [kernel, what, text, traces] of COUNTED) {
    let pauses = 0;
    const behaviour = slices(text, kernel, {}, () => (pauses += 1));
    const whole = modelTarget(kernel).run(parseProgram(text, what), {});
    t.equal(bytes(behaviour), bytes(whole), what);
    t.equal(pauses, Math.floor(traces / 32), what);
  }
  const [kernel, , text] = COUNTED.find(([, , , traces]) => traces > 32) ?? COUNTED[0];
  let stop = false;
  const options = { interrupted: () => stop };
  const stopped = slices(text, kernel, options, () => (stop = true));
  t.match(stopped, { complete: false, incomplete: 'stopped', executions: 33 });
  t.end();
});
