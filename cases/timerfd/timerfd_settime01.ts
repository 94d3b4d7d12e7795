import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'timerfd_settime() refuses a closed descriptor, another kind of file and a time before zero',
  ltp: 'timerfd_settime01',
  on: 'host',
  rows: [
    { why: 'closed', call: 'timerfd_settime(-1, 10)', errno: 'EBADF' },
    { why: 'pipe', call: 'timerfd_settime(r, 10)', errno: 'EINVAL' },
    { why: 'negative time', call: 'timerfd_settime(t, -1000)', errno: 'EINVAL' },
  ],
  program: ({ call, errno }) => `
init:
  r, w = pipe()
  t = timerfd_create(CLOCK_MONOTONIC, 0)
T1:
  x = ${call}
expect:
  always x=${errno}
`,
});
