import t from 'tap';
import { generateAioProgram } from '../program/arbitrary/aio.ts';
import { drawFromSeed, profileOf } from '../program/arbitrary/index.ts';
import { printProgram } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from './model.ts';
import { difference, hiddenState, texts } from './model.test-kit.ts';
import type { RunOptions } from './target.ts';

const P0 = '2.6.20';
const PE = '2.6.20+fs-aio+aio-epoll-wait';
const PF = `${PE}+aio-fallback-nonblock`;
const B0 = '3.1';
const B3 = '3.1+kiocb-batch-v3';

const PIPE = 'init:\n  c = io_setup(4)\n  r, w = pipe2(O_NONBLOCK)\n';
const SET = `${PIPE}  e = epoll_create(1)\n  epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN)\n`;

/** Kernel, what is shown, program, every outcome. */
const KNOWN: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    P0,
    'requests are reported by name, reads with their bytes',
    `${PIPE}  s, u = socketpair(AF_UNIX, SOCK_STREAM)
  write(w, "abc")
T1:
  x = io_submit(c, [a: pread(r, 2), b: preadv(r, [1, 9]), d: pread(r, 1), f: pread(r, 1, buf=KERNEL)])
  y = io_getevents(c, 3, 8, -1)
expect:
  always y={a:"ab", b:"c", d:EAGAIN}
`,
    ['x=3 y=[a:"ab", b:"c", d:EAGAIN]'],
  ],
  [
    B0,
    'the write that a pipe takes whole is reported as nothing written (A-B19)',
    `${PIPE}T1:\n  x = io_submit(c, [a: pwrite(w, "ab")])\n  y = io_getevents(c, 1, 1, -1)\n  z = read(r, 9)\n`,
    ['x=1 y=[a:0] z=2'],
  ],
  [
    P0,
    'an iocb is memory of the process: submitted as it stands',
    `${PIPE}T1:
  x = io_submit(c, [a: pwrite(w, "ab"), a])
  y = io_submit(c, [a, BAD, a])
  z = io_submit(c, [NULL])
  u = io_submit(c, [a], nr=-1)
  v = io_submit(c, BAD)
  m = read(r, 99)
`,
    ['x=2 y=1 z=EFAULT u=EINVAL v=EFAULT m=6'],
  ],
  [
    P0,
    'header keys: three usable slots, and an account of four requests',
    `ring: 4\naio-max-nr: 4\n${PIPE}T1:
  x = io_submit(c, [a: pread(r, 1), b: pread(r, 1), d: pread(r, 1), f: pread(r, 1)])
  y = io_submit(c, [f])
  g = io_setup(1)
  h = io_destroy(c)
  k = io_setup(4)
  l = io_getevents(k, 0, 1, 0)
`,
    ['x=3 y=EAGAIN g=EAGAIN h=0 l=[]'],
  ],
  [
    P0,
    'the ring is read and written by the process',
    `${PIPE}T1:
  x = io_submit(c, [a: pread(r, 1), b: pread(r, 2), d: pread(r, 3)])
  h = aio_ring(c, head)
  i = aio_ring(c, tail)
  y = aio_ring_reap(c)
  j = aio_ring(c, head, 2)
  z = io_getevents(c, 0, 8, 0)
  k = aio_ring_reap(c)
`,
    ['x=3 h=0 i=3 y=[a:EAGAIN] j=0 z=[d:EAGAIN] k=[]'],
  ],
  [
    P0,
    'a handle is an address: the next context gets it (A-B28), and guesses work',
    `${PIPE}T1:
  a = io_destroy(c)
  x = io_getevents(c, 0, 1, 0)
  d = io_setup(1)
  y = io_getevents(c, 0, 1, 0)
  z = io_getevents(0x40000000, 0, 1, 0)
  u = io_getevents(0x40010000, 0, 1, 0)
`,
    ['a=0 x=EINVAL y=[] z=[] u=EINVAL'],
  ],
  [
    P0,
    'a mapping in the place of the ring',
    `${PIPE}T1:\n  f = fork()\n  m = munmap(c)\n  h = aio_ring(c, head)\n  k = mmap(at=c)\n  x = io_submit(c, [a: pread(r, 1)])\n  y = io_getevents(c, 1, 1, -1)\n`,
    ['f=1001 m=0 h=EFAULT k=ok x=1 y=[a:EAGAIN]'],
  ],
  [
    P0,
    'one event, two reapers',
    `${PIPE}T1:\n  x = io_getevents(c, 1, 1, -1)\nT2:\n  y = io_getevents(c, 1, 1, -1)\nT3:\n  n = io_submit(c, [a: pread(r, 1)])\n`,
    ['x=[a:EAGAIN] y=hang n=1', 'x=hang y=[a:EAGAIN] n=1'],
  ],
  [
    P0,
    'io_destroy() of a context that is submitted to',
    `${PIPE}T1:\n  x = io_submit(c, [a: pread(r, 1)])\nT2:\n  y = io_destroy(c)\n`,
    ['x=1 y=0', 'x=EINVAL y=0'],
  ],
  [
    PE,
    'a wait on a set is a request: what it stored is read back',
    `${SET}T1:
  x = io_submit(c, [a: epoll_wait(e, 8, -1)])
  n = write(w, "a")
  y = io_getevents(c, 1, 1, -1)
expect:
  always y={a:{r:IN}}
`,
    ['x=1 n=1 y=[a:[r:IN]]'],
  ],
  [
    PE,
    'a wait that is cancelled is reported by io_cancel() alone',
    `${SET}T1:\n  x = io_submit(c, [a: epoll_wait(e, 8, -1)])\n  y = io_cancel(c, a)\n  z = io_getevents(c, 0, 1, 0)\n`,
    ['x=1 y=[a:0] z=[]'],
  ],
  [
    B0,
    'there is no epoll on 3.1, but AIO on a disk',
    `init:\n  c = io_setup(4)\n  f = open("/dev/sda", O_RDWR|O_DIRECT)\nT1:\n  x = io_submit(c, [a: pwrite(f, 512), b: epoll_wait(f, 1, 0)])\n  y = io_getevents(c, 1, 8, -1)\n  z = disk_stat("completed")\n`,
    ['x=1 y=[a:512] z=1'],
  ],
];

t.test('AIO programs on the model have the outcomes of the reference', (t) => {
  for (const [kernel, what, text, outcomes] of KNOWN) {
    const target = modelTarget(kernel);
    const program = parseProgram(text, what);
    t.equal(target.refuses(program), null, what);
    const seen = target.run(program, {});
    t.same([seen.broken, seen.complete], [undefined, true], what);
    t.same(texts(seen), outcomes, what);
  }
  t.end();
});

/** Programs per kernel, and traces above which one is left out: some races over rings have tens of thousands. */
const PROGRAMS = 12;
const TRACES = 400;
const SEED = 20_261_121;

const VARIANTS: readonly (readonly [string, RunOptions])[] = [
  ['plain', {}],
  ['one failure a thread', { faults: 1 }],
  ['timers at any time', { timers: 'any' }],
];

function programOf(kernel: string, seed: number): Program {
  return generateAioProgram(drawFromSeed(seed), {
    profile: profileOf(kernel),
    threads: { min: 2, max: 2 },
    callsPerThread: { min: 1, max: 2 },
    initCalls: { min: 2, max: 5 },
  });
}

for (const kernel of [P0, PE, PF, B0, B3]) {
  t.test(`generated AIO programs on ${kernel}: the exact explorer is exact`, (t) => {
    const wrong: string[] = [];
    let compared = 0;
    for (let i = 0; i < PROGRAMS; i++) {
      const program = programOf(kernel, SEED + i);
      const [name, options] = VARIANTS[i % VARIANTS.length] ?? ['plain', {}];
      const target = modelTarget(kernel);
      if (target.refuses(program) !== null) continue;
      const seen = target.run(program, { ...options, runs: TRACES });
      // An init that waits for a thread is no program.
      if (!seen.complete || (seen.broken?.startsWith('The init part') ?? false)) continue;
      compared++;
      const why = difference(kernel, program, options) || hiddenState(kernel, program, options);
      if (why !== '') wrong.push(`seed ${SEED + i}, ${name}: ${why}\n${printProgram(program)}`);
    }
    t.same(wrong, []);
    t.ok(compared >= PROGRAMS / 3, `${compared} programs were compared`);
    t.end();
  });
}

t.test('a program that needs more pseudo-threads than there are is refused', (t) => {
  const calls = Array.from({ length: 9 }, (_, i) => `  c${i} = io_setup(1)\n`).join('');
  const text = `init:\n${calls}T1:\n  x = io_destroy(c0)\nT2:\n  y = io_destroy(c1)\n`;
  const requests = Array.from({ length: 8 }, (_, i) => `q${i}: epoll_wait(e, 1, -1)`).join(', ');
  const waits = `${SET}T1:\n  x = io_submit(c, [${requests}])\nT2:\n  y = io_submit(c, [q1])\n`;

  t.equal(modelTarget(P0).refuses(parseProgram(text, 'contexts')), null, '15 are there');
  t.match(
    modelTarget(PE).refuses(parseProgram(waits, 'timers')),
    /it takes 16 threads, timers, workers and interrupts of the model, which has 15: 2 threads and their timers, 1 contexts, 9 epoll_wait/,
  );
  t.equal(modelTarget(P0).refuses(parseProgram(waits, 'timers')), null, 'no timers on 2.6.20');
  t.end();
});

t.test('exit waits for requests, and is explored', (t) => {
  const waiting = `${SET}T1:\n  x = io_submit(c, [a: epoll_wait(e, 8, -1)])\n`;
  const inFlight = modelTarget(PE).run(parseProgram(waiting, 'in flight'), {});
  const ended = modelTarget(PE).run(
    parseProgram(
      `${waiting}  exit_group()\n  y = io_getevents(c, 1, 1, -1)\nT2:\n  z = read(r, 1)\n  u = io_getevents(c, 1, 1, -1)\n`,
      'exit_group',
    ),
    {},
  );
  const hangs = modelTarget('3.1+kiocb-batch-v3').run(
    parseProgram(
      `${PIPE}T1:\n  x = io_submit(c, [a: pread(r, 1), BAD, b: pread(r, 1)])\n`,
      'batch',
    ),
    {},
  );

  t.ok(inFlight.complete && inFlight.traces > 1, `${inFlight.traces} traces`);
  t.same(texts(inFlight), ['x=1']);
  t.same(
    texts(ended).filter((text) => text.includes('hang')),
    [],
    'everybody dies',
  );
  t.ok(texts(ended).includes('x=1 y=none z=EAGAIN u=killed'));
  t.ok(texts(ended).includes('x=1 y=none z=none u=none'));
  t.same(texts(hangs), ['x=1']);
  t.ok(
    hangs.findings.some(
      (f) =>
        f.finding.detector === 'HUNG' && f.finding.message.startsWith('the process never ends'),
    ),
    'A-B89',
  );
  t.end();
});

t.test('a counterexample tells what workers, timers and the end of the process do', (t) => {
  const text = `${SET}T1:\n  x = io_submit(c, [a: epoll_wait(e, 8, -1)])\nT2:\n  n = write(w, "a")\n`;
  const program = parseProgram(text, 'told');
  const target = modelTarget(PE);
  const [outcome] = target.run(program, { runs: 1 }).outcomes;
  const view = target.explain(program, {
    schedule: outcome?.schedule ?? '',
    sentence: 'a run',
    search: '',
    replay: '',
  });
  t.ok(view.columns.includes('exit'));
  t.ok(view.columns.some((name) => name.startsWith('worker:')));
  t.end();
});

t.test('a request block that two threads fill can have a timer for each of them', (t) => {
  const program = parseProgram(
    `${SET}  write(w, "ab")
T1:
  n = io_submit(c, [a: pread(r, 1)])
T2:
  m = io_submit(c, [a: epoll_wait(e, 1, 1)])
`,
    'two fill one block',
  );
  const seen = modelTarget(PE).run(program, { strategy: 'random', runs: 400, timers: 'any' });
  t.equal(seen.broken, undefined);
  t.equal(seen.executions, 400);
  t.end();
});
