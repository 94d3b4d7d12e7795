import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'eventfd() is non-blocking if and only if EFD_NONBLOCK is given',
  ltp: 'eventfd2_02',
  on: 'host',
  rows: [
    { why: 'no flags', flags: '0', status: 2, answer: 'hang' },
    { why: 'EFD_NONBLOCK', flags: 'EFD_NONBLOCK', status: 0o4002, answer: 'EAGAIN' },
  ],
  program: ({ flags, status, answer }) => `
T1:
  e = eventfd(1, ${flags})
  f = fcntl(e, F_GETFL)
  k = eventfd_read(e)
  x = eventfd_read(e)
expect:
  always e=ok f=${status} k=1 x=${answer}
`,
});
