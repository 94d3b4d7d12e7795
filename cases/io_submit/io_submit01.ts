import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'io_submit() refuses eight mistakes with their errno, and takes a read of nothing and an empty list',
  docs: 'A-R26 A-R27 A-R28',
  ltp: 'io_submit01',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no context', call: 'io_submit(0, [a: pread(f, 1)])', answer: 'EINVAL' },
    { why: 'minus one request', call: 'io_submit(c, [a: pread(f, 1)], nr=-1)', answer: 'EINVAL' },
    { why: 'the list cannot be read', call: 'io_submit(c, BAD)', answer: 'EFAULT' },
    { why: 'no request at the address', call: 'io_submit(c, [NULL])', answer: 'EFAULT' },
    { why: 'no descriptor', call: 'io_submit(c, [a: pread(-1, 1)])', answer: 'EBADF' },
    {
      why: 'reads what is open for writing',
      call: 'io_submit(c, [a: pread(w, 1)])',
      answer: 'EBADF',
    },
    {
      why: 'writes what is open for reading',
      call: 'io_submit(c, [a: pwrite(r, "a")])',
      answer: 'EBADF',
    },
    { why: 'reads nothing', call: 'io_submit(c, [a: pread(f, 0)])', answer: '1' },
    { why: 'an empty list', call: 'io_submit(c, [])', answer: '0' },
  ],
  program: ({ call, answer }) => `
init:
  c = io_setup(1)
  f = open("/tmp/file", O_RDWR)
  r, w = pipe2(O_NONBLOCK)
T1:
  x = ${call}
  y = io_getevents(c, 0, 8, 0)
expect:
  always x=${answer} y=${answer === '1' ? '{a:0}' : '{}'}
`,
});
