import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'timerfd_create() sets the flags it is given, and no other',
  ltp: 'timerfd02',
  on: 'host',
  rows: [
    { why: 'none', flags: '0', status: 2, cloexec: 0 },
    { why: 'TFD_CLOEXEC', flags: 'TFD_CLOEXEC', status: 2, cloexec: 1 },
    { why: 'TFD_NONBLOCK', flags: 'TFD_NONBLOCK', status: 0o4002, cloexec: 0 },
  ],
  program: ({ flags, status, cloexec }) => `
T1:
  t = timerfd_create(CLOCK_REALTIME, ${flags})
  f = fcntl(t, F_GETFL)
  g = fcntl(t, F_GETFD)
expect:
  always t=ok f=${status} g=${cloexec}
`,
});
