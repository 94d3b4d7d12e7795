import { readdirSync } from 'node:fs';
import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { CallOrders } from './host-orders.ts';
import { planFor } from './host-plan.ts';
import { parseAnswer } from './host-protocol.ts';
import { HostTarget, hostTarget, probeHost } from './host.ts';
import type { Behaviour, RunOptions } from './target.ts';

const host = hostTarget();

async function run(text: string, options: RunOptions = {}): Promise<Behaviour> {
  return await host.run(parseProgram(text, 'test.prog'), options);
}

/** Distinct outcomes, sorted. */
async function outcomes(text: string, options: RunOptions = {}): Promise<readonly string[]> {
  const behaviour = await run(text, options);
  return behaviour.broken === undefined
    ? behaviour.outcomes.map((one) => one.text)
    : [behaviour.broken];
}

/** Calls of one thread, and how they end on every Linux since 5.11 (epoll_pwait2). */
const sequential: Readonly<Record<string, readonly [program: string, outcome: string]>> = {
  'pipe(), read(), write() and close()': [
    `T1:
  r, w = pipe()
  a = write(w, "hello")
  b = read(r, 3)
  c = read(r, 10)
  d = close(w)
  e = read(r, 10)
  f = close(r)
  g = close(r)
  h = read(r, 1)
expect:
  always b="hel" c="lo"
`,
    'a=5 b="hel" c="lo" d=0 e=0 f=0 g=EBADF h=EBADF',
  ],
  'pipe2(), a full pipe, a broken pipe and fcntl()': [
    `T1:
  r, w = pipe2(O_NONBLOCK)
  a = read(r, 1)
  b = write(w, 65536)
  c = write(w, "x")
  d = close(r)
  e = write(w, "x")
  f = fcntl(w, F_GETFL)
  g = fcntl(w, F_SETFL, 0)
  h = fcntl(w, F_GETFL)
`,
    'a=EAGAIN b=65536 c=EAGAIN d=0 e=EPIPE f=2049 g=0 h=1',
  ],
  'bad pointers, read-only and partly mapped buffers': [
    `T1:
  r, w = pipe()
  p, q = pipe(pipefd=BAD)
  a = write(w, "abcd")
  b = read(r, 4, buf=BAD)
  c = read(r, 4, buf=RO)
  d = read(r, 2, buf=mapped(2))
  e = write(w, BAD, 4)
  A = epoll_create(1)
  f = epoll_ctl(A, EPOLL_CTL_ADD, r, BAD)
  g = epoll_ctl(A, EPOLL_CTL_ADD, r, NULL)
  h = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  i = epoll_wait(A, 8, 0, buf=RO)
  j = epoll_wait(A, 8, 0, buf=KERNEL)
  k = epoll_wait(A, 8, 0, buf=mapped(1))
  l = epoll_wait(A, 0, 0)
  m = epoll_wait(-1, 8, 0)
  n = epoll_wait(r, 8, 0)
  o = poll(BAD, 0)
`,
    'p=EFAULT q=EFAULT a=4 b=EFAULT c=EFAULT d=2 e=EFAULT f=EFAULT g=EFAULT h=0 i=EFAULT j=EFAULT ' +
      'k=[r:IN] l=EINVAL m=EBADF n=EINVAL o=EFAULT',
  ],
  'socketpair(), poll() and shutdown()': [
    `T1:
  s, t = socketpair(AF_UNIX, SOCK_STREAM)
  a = write(s, "ab")
  b = poll([s:POLLIN|POLLOUT, t:POLLIN|POLLOUT], -1)
  c = read(t, 10)
  d = shutdown(s, SHUT_WR)
  e = read(t, 10)
  f = poll([t:POLLIN|POLLRDHUP], 0)
  g = close(s)
  h = write(t, "x")
`,
    'a=2 b=[s:OUT, t:IN|OUT] c=2 d=0 e=0 f=[t:IN|RDHUP] g=0 h=EPIPE',
  ],
  'listen(), connect() and accept()': [
    `T1:
  l = listen()
  a = poll([l:POLLIN], 0)
  c = connect(l)
  b = poll([l:POLLIN], -1)
  x = accept(l)
  d = write(c, "hey")
  e = poll([x:POLLIN], -1)
  f = read(x, 10)
  g = close(c)
  h = poll([x:POLLIN], -1)
  i = read(x, 10)
  j = close(l)
  k = connect(l)
  n = listen(SOCK_NONBLOCK)
  m = accept(n)
`,
    'a=[] b=[l:IN] d=3 e=[x:IN] f=3 g=0 h=[x:IN] i=0 j=0 k=ECONNREFUSED m=EAGAIN',
  ],
  'the epoll calls': [
    `T1:
  A = epoll_create(10)
  B = epoll_create1(EPOLL_CLOEXEC)
  C = epoll_create(0)
  r, w = pipe()
  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  b = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  c = epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT, data=7)
  d = write(w, "a")
  e = epoll_wait(A, 8, -1)
  f = epoll_pwait(A, 8, 0, {SIGUSR1})
  g = epoll_pwait2(A, 1, 0, {})
  h = epoll_ctl(A, EPOLL_CTL_DEL, w, NULL)
  i = epoll_ctl(A, EPOLL_CTL_MOD, w, EPOLLIN)
  j = epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN|EPOLLET)
  k = epoll_wait(A, 8, 0)
  m = epoll_wait(A, 8, 0)
  n = epoll_ctl(B, EPOLL_CTL_ADD, A, EPOLLIN)
  o = epoll_pwait(A, 8, 0, BAD)
  p = epoll_wait(A, 8, 5)
`,
    'C=EINVAL a=0 b=EEXIST c=0 d=1 e=[7:OUT, r:IN] f=[7:OUT, r:IN] g=[7:OUT] h=0 i=ENOENT j=0 ' +
      'k=[r:IN] m=[] n=0 o=EFAULT p=[]',
  ],
  eventfd: [
    `T1:
  e = eventfd(3, EFD_NONBLOCK)
  a = eventfd_read(e)
  b = eventfd_read(e)
  c = eventfd_write(e, 5)
  d = eventfd_write(e, -1)
  f = eventfd_write(e, -2)
  g = eventfd_read(e)
  s = eventfd(2, EFD_SEMAPHORE)
  h = eventfd_read(s)
  i = read(s, 4)
  j = read(s, 8)
`,
    'a=3 b=EAGAIN c=0 d=EINVAL f=EAGAIN g=5 h=1 i=EINVAL j=8',
  ],
  'timerfd and sleep()': [
    `T1:
  t = timerfd_create(CLOCK_MONOTONIC, 0)
  A = epoll_create(1)
  epoll_ctl(A, EPOLL_CTL_ADD, t, EPOLLIN)
  a = timerfd_settime(t, 10)
  b = epoll_wait(A, 1, -1)
  c = read(t, 8)
  d = timerfd_settime(t, 5, 5)
  e = sleep(8)
  f = timerfd_settime(t, 0)
  g = poll([t:POLLIN], 0)
`,
    'a=0 b=[t:IN] c=8 d=0 e=0 f=0 g=[]',
  ],
  'files, directories, devices and FIFOs': [
    `T1:
  f = open("/tmp/file", O_RDWR)
  a = write(f, "abc")
  g = open("/tmp/file")
  b = read(g, 10)
  d = open("/tmp")
  A = epoll_create(1)
  c = epoll_ctl(A, EPOLL_CTL_ADD, f, EPOLLIN)
  e = epoll_ctl(A, EPOLL_CTL_ADD, d, EPOLLIN)
  z = open("/dev/zero")
  h = read(z, 3)
  k = mkfifo("f")
  l = mkfifo("f")
  n = open("f", O_WRONLY|O_NONBLOCK)
  o = open("f", O_RDONLY|O_NONBLOCK)
  p = open("f", O_WRONLY)
  q = write(p, "x")
  r = read(o, 1)
  s = open("nothing", O_RDONLY)
`,
    'a=3 b=3 c=EPERM e=EPERM h=3 k=0 l=EEXIST n=ENXIO q=1 r=1 s=ENOENT',
  ],
  'a terminal nobody types at': [
    `T1:
  t = open("/dev/tty", O_RDWR)
  A = epoll_create(1)
  a = epoll_ctl(A, EPOLL_CTL_ADD, t, EPOLLIN)
  b = epoll_wait(A, 8, 0)
  c = read(t, 1)
`,
    'a=0 b=[] c=hang',
  ],
  'dup(), dup2() and reopening through /proc': [
    `T1:
  r, w = pipe2(O_NONBLOCK)
  q = open("/proc/self/fd/", r)
  d = dup(w)
  e = dup2(w, q)
  a = write(q, "x")
  b = read(r, 9)
  c = dup(-1)
`,
    'a=1 b=1 c=EBADF',
  ],
  'a read that nobody answers': [
    'T1:\n  r, w = pipe()\n  x = read(r, 1)\n  y = write(w, "a")\n',
    'x=hang y=none',
  ],
  'a write to a full pipe': [
    'T1:\n  r, w = pipe()\n  a = write(w, 65536)\n  x = write(w, "a")\n',
    'a=65536 x=hang',
  ],
  'init that never ends': [
    'init:\n  r, w = pipe()\n  read(r, 1)\nT1:\n  y = write(w, "a")\n',
    'init.2=hang y=none',
  ],
  'a FIFO nobody opens': ['T1:\n  a = mkfifo("f")\n  f = open("f", O_RDONLY)\n', 'a=0 f=hang'],
  'a connection nobody makes': ['T1:\n  l = listen()\n  f = accept(l)\n', 'f=hang'],
  'an empty set': ['T1:\n  A = epoll_create(1)\n  x = epoll_wait(A, 1, -1)\n', 'x=hang'],
};

/** Programs of several threads: outcomes that can be, those that must be seen first. */
const concurrent: Readonly<
  Record<string, readonly [program: string, sure: readonly string[], others?: readonly string[]]>
> = {
  'registration against a write always delivers': [
    `init:
  A = epoll_create(1)
  r, w = pipe()
T1:
  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)
  x = epoll_wait(A, 8, -1)
T2:
  n = write(w, "a")
`,
    ['a=0 x=[r:IN] n=1'],
  ],
  'one byte wakes one of two readers, the other one hangs': [
    'init:\n  r, w = pipe()\nT1:\n  x = read(r, 1)\nT2:\n  y = read(r, 1)\nT3:\n  z = write(w, "a")\n',
    ['x=1 y=hang z=1', 'x=hang y=1 z=1'],
  ],
  'a signal interrupts a wait it finds': [
    'init:\n  A = epoll_create(1)\nT1:\n  x = epoll_wait(A, 1, -1)\nT2:\n  k = kill(T1, SIGUSR1)\n',
    ['x=EINTR k=0', 'x=hang k=0'],
  ],
  'a signal interrupts a read it finds': [
    'init:\n  r, w = pipe()\nT1:\n  x = read(r, 1)\nT2:\n  k = kill(T1, SIGUSR1)\n',
    ['x=EINTR k=0', 'x=hang k=0'],
  ],
  'a blocked signal does not interrupt': [
    'init:\n  A = epoll_create(1)\nT1:\n  x = epoll_pwait(A, 1, 5, {SIGUSR1})\nT2:\n  k = kill(T1, SIGUSR1)\n',
    ['x=[] k=0'],
  ],
  'conditions look at earlier results, those of init too': [
    `init:
  r, w = pipe2(O_NONBLOCK)
  i = write(w, "a")
T1:
  x = read(r, 1)
  y = write(w, "b") if x == 1
T2:
  u = read(r, 1) if i == 1
  t = read(r, 1) if i != 1
`,
    ['i=1 x=1 y=1 u=1 t=none', 'i=1 x=1 y=1 u=EAGAIN t=none', 'i=1 x=EAGAIN y=none u=1 t=none'],
  ],
};

const refused: Readonly<Record<string, readonly [program: string, why: RegExp]>> = {
  'the old device': ['T1:\n  D = open("/dev/epoll")\n', /does not open "\/dev\/epoll"/],
  'the old operation': [
    'T1:\n  r, w = pipe()\n  A = epoll_create(1)\n  a = epoll_ctl(A, EPOLL_CTL_ADD_AND_TEST, r, EPOLLIN)\n',
    /has no EPOLL_CTL_ADD_AND_TEST/,
  ],
  'mmap()': ['T1:\n  r, w = pipe()\n  m = mmap(r, 1)\n', /has no mmap/],
  'descriptors of the harness': ['T1:\n  a = close(5)\n', /descriptor 5 by number/],
  'signals of the harness': ['T1:\n  k = kill(T1, SIGUSR2)\n', /no signal but SIGUSR1/],
  'other files': ['T1:\n  f = open("/etc/passwd")\n', /does not open "\/etc\/passwd"/],
};

t.test('the host says in a line what it does not run', (t) => {
  for (const [what, [text, why]] of Object.entries(refused)) {
    t.throws(() => planFor(parseProgram(text, 'test.prog')), { message: why }, what);
  }
  t.end();
});

t.test('all orders of calls are walked through once, whole threads first', (t) => {
  // Two threads of two calls: aabb bbaa of whole threads, then abab abba aabb baab baba bbaa.
  const orders = new CallOrders(2);
  const walked: string[] = [];
  while (!orders.done && walked.length < 100) {
    const left = [2, 2];
    let order = '';
    while (left.some((n) => n > 0)) {
      const chosen = orders.choose([0, 1].filter((thread) => (left[thread] ?? 0) > 0));
      left[chosen] = (left[chosen] ?? 0) - 1;
      order += 'ab'[chosen] ?? '?';
    }
    walked.push(order);
    orders.advance();
  }

  t.strictSame(walked, ['aabb', 'bbaa', 'aabb', 'abab', 'abba', 'baab', 'baba', 'bbaa']);
  t.end();
});

t.test('what is no answer of the child is none', (t) => {
  for (const line of ['', 'nonsense', '7', 'null', '{}', '{"kind":"other"}', '{"kind":"done"']) {
    t.equal(parseAnswer(line), null, JSON.stringify(line));
  }
  t.end();
});

const probe = await probeHost();
const skip = probe.ok ? false : probe.why;

t.test('calls of one thread have the results of the manual pages', { skip }, async (t) => {
  for (const [what, [text, outcome]] of Object.entries(sequential)) {
    t.strictSame(await outcomes(text), [outcome], what);
  }
});

t.test('calls of several threads have the outcomes that are possible', { skip }, async (t) => {
  for (const [what, [text, sure, others = []]] of Object.entries(concurrent)) {
    const seen = await outcomes(text);
    for (const outcome of sure)
      t.ok(seen.includes(outcome), `${what}: ${outcome}, seen ${seen.join(' / ')}`);
    t.strictSame(
      seen.filter((one) => !sure.includes(one) && !others.includes(one)),
      [],
      what,
    );
  }
});

t.test('calls are ordered by thread, init first, and by time', { skip }, async (t) => {
  const behaviour = await run(
    'init:\n  r, w = pipe()\nT1:\n  x = read(r, 1)\nT2:\n  n = write(w, "a")\n',
  );

  t.equal(behaviour.complete, false);
  for (const { history } of behaviour.outcomes) {
    const [first, ...rest] = history.calls;
    t.ok(first !== undefined && rest.every((call) => history.before(first, call)));
    const read = history.calls.find((call) => call.call.name === 'read');
    const write = history.calls.find((call) => call.call.name === 'write');
    t.ok(read !== undefined && write !== undefined && !history.before(read, write));
  }
});

t.test('2000 iterations leave no descriptor open', { skip }, async (t) => {
  const text = `init:
  A = epoll_create(1)
  s, t = socketpair(AF_UNIX, SOCK_STREAM)
T1:
  r, w = pipe()
  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  c = close(w)
T2:
  d = dup(s)
  b = close(d)
`;
  await run(text, { runs: 1 });
  const before = readdirSync(`/proc/${host.childPid ?? 0}/fd`);
  const pid = host.childPid;

  const behaviour = await run(text, { runs: 2000 });

  t.equal(behaviour.broken, undefined);
  t.equal(behaviour.executions, 2000);
  t.equal(host.childPid, pid);
  t.strictSame(readdirSync(`/proc/${pid ?? 0}/fd`), before);
});

const sleeping = 'T1:\n  x = sleep(10000)\n';

t.test(
  'a child that is lost is the harness being broken, and another one takes over',
  { skip },
  async (t) => {
    let kills = 0;
    const kill = (): boolean => {
      kills += 1;
      process.kill(host.childPid ?? 0, 'SIGSEGV');
      return false;
    };

    const lost = await run(sleeping, { interrupted: kill });
    const next = await outcomes('T1:\n  a = close(-1)\n');

    t.ok(kills > 0);
    t.match(lost.broken, /^Cannot run on the host: the child was killed by SIG/);
    t.strictSame(lost.outcomes, []);
    t.strictSame(next, ['a=EBADF']);
  },
);

t.test('a child that does not answer is killed', { skip }, async (t) => {
  const impatient = new HostTarget({ answerMs: 300 });

  const behaviour = await impatient.run(parseProgram(sleeping, 'test.prog'), {});

  t.equal(behaviour.broken, 'Cannot run on the host: the child did not answer for 0.3 s');
});

t.test('a run that nobody wants any more ends and says so', { skip }, async (t) => {
  const behaviour = await run(sleeping, { interrupted: () => true });

  t.equal(behaviour.broken, undefined);
  t.equal(behaviour.incomplete, 'interrupted');
});

t.teardown(() => host.close());
