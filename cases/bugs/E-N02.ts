import { defineCase } from '../../harness/case-api.ts';

/** The item whose insertion doubles the table of 128 chains for the first time. */
const RESIZE_AT = 384;
const numbers = [...Array(RESIZE_AT - 1).keys()];

export default defineCase({
  verifies: 'no lookup misses an item while the table of a set grows',
  docs: 'E-N2 E-R4',
  on: '2.5.44+sys_epoll-v11',
  rows: [
    { why: 'MOD of an old item', call: 'x = epoll_ctl(A, EPOLL_CTL_MOD, d0, EPOLLIN)' },
    { why: 'DEL of an old item', call: 'x = epoll_ctl(A, EPOLL_CTL_DEL, d0, EPOLLIN)' },
  ],
  program: ({ call }) => `
init:
  A = epoll_create(1000)
  r, w = pipe()
${numbers.map((n) => `  d${n} = dup(r)`).join('\n')}
${numbers.map((n) => `  epoll_ctl(A, EPOLL_CTL_ADD, d${n}, EPOLLIN)`).join('\n')}
T1:
  a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T2:
  ${call}
expect:
  always a=0 x=0
  absent KASAN-UAF
  absent OOPS
`,
});
