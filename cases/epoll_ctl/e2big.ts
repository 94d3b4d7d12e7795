import { defineCase } from '../../harness/case-api.ts';

const CAPACITY = 512;
const numbers = [...Array(CAPACITY).keys()];

export default defineCase({
  verifies:
    'sys_epoll refuses a descriptor when every slot has one, and takes it once another has left',
  docs: 'E-R1 E-R3',
  on: '2.5.44+sys_epoll-v11',
  rows: [{ why: 'one page of slots', size: 1 }],
  program: ({ size }) => `
init:
  A = epoll_create(${size})
  r, w = pipe()
${numbers.map((n) => `  d${n} = dup(r)`).join('\n')}
T1:
${numbers.map((n) => `  a${n} = epoll_ctl(A, EPOLL_CTL_ADD, d${n}, EPOLLIN)`).join('\n')}
  x = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  y = epoll_ctl(A, EPOLL_CTL_DEL, d0, EPOLLIN)
  z = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
expect:
  always ${numbers.map((n) => `a${n}=0`).join(' ')} x=E2BIG y=0 z=0
`,
});
