import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'the close of the last writer ends a wait for the read end with HUP; on sys_epoll only if HUP is asked for',
  docs: 'E-R18 E-R124 E-R144 E-B17',
  ltp: 'epoll_wait11',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'IN is asked for', events: 'EPOLLIN', sysEpoll: 'hang' },
    { why: 'HUP is asked for', events: 'EPOLLIN|EPOLLHUP', sysEpoll: '{r:HUP}' },
  ],
  program: ({ events, sysEpoll }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, ${events})
T1:
  x = epoll_wait(A, 8, -1)
T2:
  c = close(w)
expect:
  always x={r:HUP} c=0
expect 2.5.44+sys_epoll-v11:
  always x=${sysEpoll} c=0
`,
});
