import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_create1() refuses unknown flags',
  ltp: 'epoll_create1_02',
  on: 'host',
  rows: [
    { why: 'all bits', flags: '-1' },
    { why: 'EPOLL_CLOEXEC and bit 0', flags: 'EPOLL_CLOEXEC|0x1' },
    { why: 'O_NONBLOCK', flags: '0x800' },
  ],
  program: ({ flags }) => `
T1:
  A = epoll_create1(${flags})
expect:
  always A=EINVAL
`,
});
