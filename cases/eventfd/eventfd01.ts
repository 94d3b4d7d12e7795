import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'a read gives the counter and clears it; empty it is EAGAIN, into a short buffer EINVAL',
  docs: 'E-R140',
  ltp: 'eventfd01',
  on: 'host',
  rows: [
    {
      why: 'counter of ten',
      start: 10,
      calls: 'x = eventfd_read(e)\n  y = eventfd_read(e)',
      answer: 'x=10 y=EAGAIN',
    },
    {
      why: 'short buffer',
      start: 10,
      calls: 'x = read(e, 7)\n  y = eventfd_read(e)',
      answer: 'x=EINVAL y=10',
    },
  ],
  program: ({ start, calls, answer }) => `
init:
  e = eventfd(${start}, EFD_NONBLOCK)
T1:
  ${calls}
expect:
  always ${answer}
`,
});
