import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_create() makes a descriptor for every size from one up',
  docs: 'E-R1 E-R87',
  ltp: 'epoll_create01',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'size is one', size: 1, sysEpoll: 'ok' },
    { why: 'size is INT_MAX', size: 2147483647, sysEpoll: 'EINVAL' },
  ],
  program: ({ size, sysEpoll }) => `
T1:
  A = epoll_create(${size})
  x = close(A)
expect:
  always A=ok x=0
expect 2.5.44+sys_epoll-v11:
  always A=${sysEpoll}
`,
});
