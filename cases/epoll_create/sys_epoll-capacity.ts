import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'sys_epoll counts the size of a set in pages of 512 slots, 256 pages at most',
  docs: 'E-R1 E-B34',
  on: '2.5.44+sys_epoll-v11',
  rows: [
    { why: 'largest that fits', size: 131071, answer: 'ok' },
    { why: 'one page too many', size: 131072, answer: 'EINVAL' },
    { why: 'above the limit', size: 131073, answer: 'EINVAL' },
    { why: 'least negative size without pages', size: -512, answer: 'ok' },
    { why: 'one below', size: -513, answer: 'EINVAL' },
  ],
  program: ({ size, answer }) => `
T1:
  A = epoll_create(${size})
expect:
  always A=${answer}
`,
});
