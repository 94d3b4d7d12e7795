import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_wait() with timeout 0 returns at once',
  docs: 'E-R7 E-R96',
  ltp: 'epoll_wait04',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'nothing is registered', add: '', answer: '{}' },
    { why: 'nothing is ready', add: 'epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)', answer: '{}' },
  ],
  program: ({ add, answer }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  ${add}
T1:
  x = epoll_wait(A, 8, 0)
expect:
  always x=${answer}
`,
});
