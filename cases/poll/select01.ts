import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'a regular file and a directory are always ready, a pipe and a FIFO when there is something to do',
  docs: 'E-R126 E-R135',
  ltp: 'select01',
  on: '2.6.20 host',
  rows: [
    {
      why: 'regular file',
      make: 'f = open("/tmp/file", O_RDWR)',
      set: '[f:POLLIN|POLLOUT]',
      answer: '{f:IN|OUT}',
    },
    { why: 'directory', make: 'f = open("/tmp")', set: '[f:POLLIN|POLLOUT]', answer: '{f:IN|OUT}' },
    {
      why: 'empty pipe',
      make: 'f, g = pipe()',
      set: '[f:POLLIN|POLLOUT, g:POLLIN|POLLOUT]',
      answer: '{g:OUT}',
    },
    {
      why: 'pipe with data',
      make: 'f, g = pipe()\n  write(g, "a")',
      set: '[f:POLLIN|POLLOUT, g:POLLIN|POLLOUT]',
      answer: '{f:IN, g:OUT}',
    },
    {
      why: 'FIFO never opened for writing',
      make: 'mkfifo("f")\n  f = open("f", O_RDONLY|O_NONBLOCK)',
      set: '[f:POLLIN|POLLOUT]',
      answer: '{}',
    },
    {
      why: 'FIFO opened both ways',
      make: 'mkfifo("f")\n  f = open("f", O_RDWR)',
      set: '[f:POLLIN|POLLOUT]',
      answer: '{f:OUT}',
    },
  ],
  program: ({ make, set, answer }) => `
init:
  ${make}
T1:
  x = poll(${set}, 0)
expect:
  always x=${answer}
`,
});
