import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'a request that is refused leaves no event and takes no slot',
  docs: 'A-R26 A-R27 A-R28',
  ltp: 'io_submit03',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no context', call: 'io_submit(0, [b: pread(f, 1)])', answer: 'EINVAL' },
    { why: 'minus one request', call: 'io_submit(c, [b: pread(f, 1)], nr=-1)', answer: 'EINVAL' },
    { why: 'the list cannot be read', call: 'io_submit(c, BAD)', answer: 'EFAULT' },
    { why: 'a request that cannot be read', call: 'io_submit(c, [BAD])', answer: 'EFAULT' },
    { why: 'no descriptor', call: 'io_submit(c, [b: pread(-1, 1)])', answer: 'EBADF' },
    {
      why: 'reads what is open for writing',
      call: 'io_submit(c, [b: pread(w, 1)])',
      answer: 'EBADF',
    },
    {
      why: 'writes what is open for reading',
      call: 'io_submit(c, [b: pwrite(r, "a")])',
      answer: 'EBADF',
    },
  ],
  program: ({ call, answer }) => `
init:
  c = io_setup(1)
  f = open("/tmp/file", O_RDWR)
  r, w = pipe2(O_NONBLOCK)
T1:
  x = ${call}
  y = io_submit(c, [a: pread(f, 0)])
  z = io_getevents(c, 0, 8, 0)
expect:
  always x=${answer} y=1 z={a:0}
  clean
`,
});
