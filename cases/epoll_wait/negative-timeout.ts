import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'a negative timeout means for ever; on sys_epoll only minus one does, others end at once',
  docs: 'E-R96 E-B42',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: '-1', ms: -1, sysEpoll: '{r:IN}' },
    { why: '-2', ms: -2, sysEpoll: '{}' },
    { why: '-1000', ms: -1000, sysEpoll: '{}' },
  ],
  program: ({ ms, sysEpoll }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = epoll_wait(A, 8, ${ms})
T2:
  sleep(20)
  n = write(w, "a")
expect:
  always x={r:IN} n=1
expect 2.5.44+sys_epoll-v11:
  always x=${sysEpoll} n=1
`,
});
