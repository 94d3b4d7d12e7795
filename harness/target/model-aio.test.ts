import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from './model.ts';
import { difference, hiddenState, texts } from './model.test-kit.ts';

const P0 = '2.6.20';
const PE = '2.6.20+fs-aio+aio-epoll-wait';
const B0 = '3.1';

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
  x = io_submit(c, [a: pread(r, 2), b: preadv(r, [1, 9]), d: pread(r, 1), f: pread(r, 1, buf=BAD)])
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
    ['x=1 y=0', 'x=EINVAL y=0', 'x=killed y=0', 'x=killed y=killed'],
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
