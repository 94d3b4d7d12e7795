import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { planFor } from './host-plan.ts';
import { hostTarget, probeHost } from './host.ts';
import type { Behaviour, RunOptions } from './target.ts';

const host = hostTarget();

async function run(text: string, options: RunOptions = {}): Promise<Behaviour> {
  return await host.run(parseProgram(text, 'test.prog'), options);
}

async function outcomes(text: string, options: RunOptions = {}): Promise<readonly string[]> {
  const behaviour = await run(text, options);
  return behaviour.broken === undefined
    ? behaviour.outcomes.map((one) => one.text)
    : [behaviour.broken];
}

/** Programs of one thread, and how they end on a current Linux. */
const sequential: Readonly<Record<string, readonly [program: string, outcome: string]>> = {
  'requests are reported by the names of their iocbs': [
    `T1:
  c = io_setup(4)
  r, w = pipe2(O_NONBLOCK)
  a = io_submit(c, [p: pread(r, 100), q: pwrite(w, "abc"), d: poll(r, POLLIN)])
  b = io_getevents(c, 1, 8, -1)
  e = io_submit(c, [p])
  f = io_getevents(c, 1, 8, -1)
  g = io_getevents(c, 0, 8, -1)
  h = io_destroy(c)
  i = io_destroy(c)
  j = io_submit(c, [p])
  k = io_getevents(c, 0, 1, 0)
`,
    'a=3 b=[p:EAGAIN, q:3, d:1] e=1 f=[p:3] g=[] h=0 i=EINVAL j=EINVAL k=EINVAL',
  ],
  'what reads find is read back': [
    `T1:
  c = io_setup(4)
  f = open("/tmp/file", O_RDWR)
  a = io_submit(c, [p: pwrite(f, "abcdef"), q: pwritev(f, ["XY", "Z"], offset=2), s: fsync(f)])
  b = io_getevents(c, 3, 3, -1)
  d = io_submit(c, [u: pread(f, 3, offset=1), v: preadv(f, [2, 100]), z: pread(f, 1, offset=99)])
  e = io_getevents(c, 3, 3, -1)
expect:
  always b={p:6, q:3, s:0} e={u:"bXY", v:"abXYZf", z:0}
`,
    'a=3 b=[p:6, q:3, s:0] d=3 e=[u:"bXY", v:"abXYZf", z:0]',
  ],
  'contexts that cannot be made': [
    `T1:
  a = io_setup(0)
  b = io_setup(-1)
  c = io_setup(4, ctxp=1)
  d = io_setup(4, ctxp=BAD)
  e = io_setup(4, ctxp=RO)
  f = io_setup(1100000)
  g = io_destroy(a)
  h = io_destroy(4096)
`,
    'a=EINVAL b=EINVAL c=EINVAL d=EFAULT e=EFAULT f=EAGAIN g=EINVAL h=EINVAL',
  ],
  'requests that are refused': [
    `T1:
  c = io_setup(4)
  r, w = pipe2(O_NONBLOCK)
  a = io_submit(c, [p: pread(w, 1)])
  b = io_submit(c, [p: pwrite(r, "a")])
  d = io_submit(c, [p: pread(-1, 1)])
  e = io_submit(c, [p: pread(r, 1, nbytes=-1)])
  f = io_submit(c, [p: pread(r, 1, offset=-1)])
  g = io_submit(c, [p: pread(r, 1, reserved=1)])
  h = io_submit(c, [p: pread(r, 1, buf=KERNEL)])
  i = io_submit(c, [p: preadv(r, [1], nbytes=1025)])
  j = io_submit(c, [p: preadv(r, [1], buf=BAD)])
  k = io_submit(c, [p: fsync(r)])
  l = io_submit(c, [p: noop(r)])
  m = io_submit(c, [p: epoll_wait(r, 1, 1)])
  n = io_submit(c, [p: opcode(77, r)])
  o = io_submit(c, [p: pread(r, 1, resfd=-1)])
  q = io_submit(c, [p: pread(r, 1, resfd=r)])
`,
    'a=EBADF b=EBADF d=EBADF e=EINVAL f=EINVAL g=EINVAL h=EFAULT i=EINVAL j=EFAULT k=EINVAL l=EINVAL m=EINVAL ' +
      'n=EINVAL o=EBADF q=EINVAL',
  ],
  'lists, counts and pointers': [
    `T1:
  c = io_setup(4)
  r, w = pipe2(O_NONBLOCK)
  a = io_submit(c, [p: pwrite(w, "ab"), BAD, p])
  b = io_submit(c, [NULL, p])
  d = io_submit(c, BAD)
  e = io_submit(c, [])
  f = io_submit(0, [])
  g = io_submit(c, [p], nr=-1)
  h = io_submit(c, [q: pread(r, 1, buf=RO), s: pread(r, 3, buf=mapped(2))])
  i = io_getevents(c, 1, 8, 0, events=BAD)
  j = io_getevents(c, 1, 8, 0)
  k = io_getevents(c, 0, 8, 0, tmo=BAD)
  l = io_getevents(c, 2, 1, 0)
  m = io_getevents(c, -1, 1, 0)
  n = io_cancel(c, p)
  o = io_cancel(c, BAD)
  u = io_cancel(0, p)
expect:
  always j={p:2, q:EFAULT, s:"ab"}
`,
    'a=1 b=EFAULT d=EFAULT e=0 f=EINVAL g=EINVAL h=2 i=EFAULT j=[p:2, q:EFAULT, s:"ab"] k=EFAULT l=EINVAL m=EINVAL ' +
      'n=EINVAL o=EFAULT u=EINVAL',
  ],
  'a poll is cancelled once, and its event comes all the same': [
    `T1:
  c = io_setup(4)
  r, w = pipe()
  a = io_submit(c, [p: poll(r, POLLIN)])
  b = io_cancel(c, p)
  d = io_getevents(c, 1, 8, -1)
  e = io_cancel(c, p)
`,
    'a=1 b=EINPROGRESS d=[p:0] e=EINVAL',
  ],
  'an eventfd counts completions': [
    `T1:
  c = io_setup(4)
  r, w = pipe2(O_NONBLOCK)
  e = eventfd(0, EFD_NONBLOCK)
  a = io_submit(c, [p: pwrite(w, "a", resfd=e), q: poll(r, POLLIN, resfd=e), s: pread(r, 1)])
  b = eventfd_read(e)
  d = eventfd_read(e)
`,
    'a=3 b=2 d=EAGAIN',
  ],
  'signal sets of io_pgetevents()': [
    `T1:
  c = io_setup(4)
  r, w = pipe2(O_NONBLOCK)
  io_submit(c, [p: pwrite(w, "a")])
  a = io_pgetevents(c, 1, 1, -1, {SIGUSR1})
  b = io_pgetevents(c, 0, 1, 0, BAD)
  d = io_pgetevents(c, 0, 1, 5, {})
  e = io_pgetevents(c, 1, 0, 0, {})
`,
    'a=[p:1] b=EFAULT d=[] e=EINVAL',
  ],
  'a wait that nothing ends': [
    'T1:\n  c = io_setup(4)\n  x = io_getevents(c, 1, 1, -1)\n  y = io_destroy(c)\n',
    'x=hang y=none',
  ],
  'a blocking read blocks io_submit()': [
    'T1:\n  c = io_setup(4)\n  r, w = pipe()\n  x = io_submit(c, [p: pread(r, 1)])\n  y = io_destroy(c)\n',
    'x=hang y=none',
  ],
};

const CONTEXT = 'init:\n  c = io_setup(8)\n  r, w = pipe2(O_NONBLOCK)\n';
const POLLED = `${CONTEXT}  io_submit(c, [p: poll(r, POLLIN)])\n`;

/** Programs of several threads: outcomes that must be seen, and others that can be. */
const concurrent: Readonly<
  Record<string, readonly [program: string, sure: readonly string[], others?: readonly string[]]>
> = {
  'a poll ends with its event or is cancelled': [
    `${POLLED}T1:\n  x = io_cancel(c, p)\n  y = io_getevents(c, 1, 8, -1)\nT2:\n  n = write(w, "a")\n`,
    ['x=EINPROGRESS y=[p:0] n=1', 'x=EINVAL y=[p:65] n=1'],
    ['x=EINVAL y=[p:1] n=1'],
  ],
  'two reapers share what there is': [
    `${CONTEXT}T1:\n  x = io_getevents(c, 1, 1, -1)\nT2:\n  y = io_getevents(c, 1, 1, -1)\nT3:\n  z = io_submit(c, [p: pwrite(w, "a")])\n`,
    ['x=[p:1] y=hang z=1', 'x=hang y=[p:1] z=1'],
  ],
  'a destroyed context ends the wait for it': [
    `${POLLED}T1:\n  x = io_getevents(c, 1, 8, -1)\nT2:\n  y = io_destroy(c)\n`,
    ['x=EINVAL y=0'],
    ['x=[p:0] y=0'],
  ],
  'a read that blocks keeps who destroys the context': [
    'init:\n  c = io_setup(8)\n  r, w = pipe()\nT1:\n  x = io_submit(c, [p: pread(r, 1)])\nT2:\n  y = io_destroy(c)\n',
    ['x=hang y=hang', 'x=EINVAL y=0'],
  ],
  'a signal ends the wait it finds': [
    `${CONTEXT}T1:\n  x = io_getevents(c, 1, 8, -1)\nT2:\n  k = kill(T1, SIGUSR1)\n`,
    ['x=EINTR k=0', 'x=hang k=0'],
  ],
  'a blocked signal does not': [
    `${CONTEXT}T1:\n  x = io_pgetevents(c, 1, 8, 5, {SIGUSR1})\nT2:\n  k = kill(T1, SIGUSR1)\n`,
    ['x=[] k=0'],
  ],
  'an iocb is one place in memory for all threads': [
    `${CONTEXT}  io_submit(c, [p: pwrite(w, "ab")])\nT1:\n  x = io_submit(c, [p])\nT2:\n  y = io_submit(c, [p])\nT3:\n  z = io_getevents(c, 3, 8, -1)\n`,
    ['x=1 y=1 z=[p:2, p:2, p:2]'],
  ],
};

const refused: Readonly<Record<string, readonly [program: string, why: RegExp]>> = {
  'the end of the process': ['T1:\n  exit_group()\n', /has no exit_group/],
  'the ring': ['T1:\n  c = io_setup(1)\n  a = aio_ring(c, head)\n', /has no aio_ring/],
  'buffers beyond bounds': [
    'T1:\n  c = io_setup(1)\n  r, w = pipe()\n  a = io_submit(c, [p: pread(r, 300000)])\n',
    /at most 253952 bytes by one iocb/,
  ],
};

t.test('the host says in a line which AIO it does not run', (t) => {
  for (const [what, [text, why]] of Object.entries(refused))
    t.throws(() => planFor(parseProgram(text, 'test.prog')), { message: why }, what);
  t.end();
});

const probe = await probeHost();
const skip = probe.ok ? false : probe.why;

t.test('AIO of one thread ends as the manual pages say', { skip }, async (t) => {
  for (const [what, [text, outcome]] of Object.entries(sequential))
    t.strictSame(await outcomes(text), [outcome], what);
});

t.test('AIO of several threads has the outcomes that are possible', { skip }, async (t) => {
  for (const [what, [text, sure, others = []]] of Object.entries(concurrent)) {
    const seen = await outcomes(text);
    for (const outcome of sure)
      t.ok(seen.includes(outcome), `${what}: ${outcome}, seen ${seen.join(' / ')}`);
    const strange = seen.filter((one) => !sure.includes(one) && !others.includes(one));
    t.strictSame(strange, [], what);
  }
});

t.test('300 iterations leave no context behind', { skip }, async (t) => {
  const behaviour = await run(`${POLLED}T1:\n  x = io_cancel(c, p)\nT2:\n  write(w, "a")\n`, {
    runs: 300,
  });
  const next = await outcomes('T1:\n  c = io_setup(60000)\n  x = io_destroy(c)\n');

  t.equal(behaviour.broken, undefined);
  t.equal(behaviour.executions, 300);
  t.strictSame(next, ['x=0'], 'what all contexts may hold is free again');
});

t.teardown(() => host.close());
