import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'the read end cannot be written and the write end cannot be read',
  ltp: 'pipe03',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'write to the read end', call: 'write(r, "a")' },
    { why: 'read from the write end', call: 'read(w, 1)' },
  ],
  program: ({ call }) => `
init:
  r, w = pipe()
T1:
  x = ${call}
expect:
  always x=EBADF
`,
});
