import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_create1() sets close-on-exec if and only if EPOLL_CLOEXEC is given',
  ltp: 'epoll_create1_01',
  on: 'host',
  rows: [
    { why: 'no flags', flags: '0', cloexec: 0 },
    { why: 'EPOLL_CLOEXEC', flags: 'EPOLL_CLOEXEC', cloexec: 1 },
  ],
  program: ({ flags, cloexec }) => `
T1:
  A = epoll_create1(${flags})
  f = fcntl(A, F_GETFD)
expect:
  always A=ok f=${cloexec}
`,
});
