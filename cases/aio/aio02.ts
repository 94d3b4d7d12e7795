import { defineCase } from '../../harness/case-api.ts';

/** LTP opens with O_DIRECT too: the files of the models have no such mode, and not every file system of a host. */
export default defineCase({
  verifies:
    'requests on a file complete whichever way it was opened, and in whichever way they are written down',
  docs: 'A-R28 A-R58',
  ltp: 'aio02',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'for writing', how: 'O_WRONLY', op: 'pwrite(f, "abcd")', answer: '4' },
    {
      why: 'for writing, two segments',
      how: 'O_WRONLY',
      op: 'pwritev(f, ["ab", "cd"])',
      answer: '4',
    },
    { why: 'for reading', how: 'O_RDONLY', op: 'pread(f, 4)', answer: '"0123"' },
    {
      why: 'for reading, two segments',
      how: 'O_RDONLY',
      op: 'preadv(f, [1, 9])',
      answer: '"01234567"',
    },
    { why: 'for both', how: 'O_RDWR', op: 'pread(f, 99, offset=6)', answer: '"67"' },
    {
      why: 'for both, truncated',
      how: 'O_RDWR|O_TRUNC',
      op: 'pread(f, 4)',
      answer: '0',
      on: 'host',
    },
  ],
  program: ({ how, op, answer }) => `
init:
  c = io_setup(1)
  g = open("/tmp/file", O_RDWR)
  write(g, "01234567")
  f = open("/tmp/file", ${how})
T1:
  x = io_submit(c, [a: ${op}])
  y = io_getevents(c, 1, 1, -1)
expect:
  always x=1 y={a:${answer}}
  clean
`,
});
