import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'pipe() refuses a place for its descriptors that cannot be written',
  ltp: 'pipe05',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'unmapped', where: 'BAD' },
    { why: 'NULL', where: 'NULL' },
    { why: 'read-only', where: 'RO' },
    { why: 'in the kernel', where: 'KERNEL' },
  ],
  program: ({ where }) => `
T1:
  r, w = pipe(pipefd=${where})
expect:
  always r=EFAULT
`,
});
