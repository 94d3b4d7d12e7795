import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'epoll_create() refuses sizes below one, where sys_epoll refuses only what needs pages it cannot count',
  docs: 'E-R1 E-R87 E-B34',
  ltp: 'epoll_create02',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'size is zero', size: 0, sysEpoll: 'ok' },
    { why: 'size is minus one', size: -1, sysEpoll: 'ok' },
    { why: 'size is INT_MIN', size: -2147483648, sysEpoll: 'EINVAL' },
  ],
  program: ({ size, sysEpoll }) => `
T1:
  A = epoll_create(${size})
expect:
  always A=EINVAL
expect 2.5.44+sys_epoll-v11:
  always A=${sysEpoll}
`,
});
