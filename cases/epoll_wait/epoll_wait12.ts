import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'the close of the last reader of a full pipe ends a wait for the write end with ERR; sys_epoll says HUP, if asked for',
  docs: 'E-R18 E-R125 E-R144 E-B17',
  ltp: 'epoll_wait12',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'OUT is asked for', events: 'EPOLLOUT', sysEpoll: 'hang' },
    { why: 'ERR is asked for', events: 'EPOLLOUT|EPOLLERR', sysEpoll: 'hang' },
    { why: 'HUP is asked for', events: 'EPOLLOUT|EPOLLERR|EPOLLHUP', sysEpoll: '{w:HUP}' },
  ],
  program: ({ events, sysEpoll }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  write(w, 65536)
  epoll_ctl(A, EPOLL_CTL_ADD, w, ${events})
T1:
  x = epoll_wait(A, 8, -1)
T2:
  c = close(r)
expect:
  always x={w:ERR} c=0
expect 2.5.44+sys_epoll-v11:
  always x=${sysEpoll} c=0
`,
});
