import { defineCase } from '../../harness/case-api.ts';

/** O_NONBLOCK, O_WRONLY and O_DIRECT as F_GETFL shows them. */
const NONBLOCK = 0o4000;
const WRONLY = 1;
const DIRECT = 0o40000;

export default defineCase({
  verifies:
    'pipe2() sets the flags it is given on both ends, O_DIRECT on the write end alone, and no other',
  ltp: 'pipe2_01',
  on: 'host',
  rows: [
    { why: 'none', flags: '0', status: 0, direct: 0, cloexec: 0 },
    { why: 'O_CLOEXEC', flags: 'O_CLOEXEC', status: 0, direct: 0, cloexec: 1 },
    { why: 'O_NONBLOCK', flags: 'O_NONBLOCK', status: NONBLOCK, direct: 0, cloexec: 0 },
    { why: 'O_DIRECT', flags: 'O_DIRECT', status: 0, direct: DIRECT, cloexec: 0 },
    {
      why: 'all three',
      flags: 'O_CLOEXEC|O_NONBLOCK|O_DIRECT',
      status: NONBLOCK,
      direct: DIRECT,
      cloexec: 1,
    },
  ],
  program: ({ flags, status, direct, cloexec }) => `
T1:
  r, w = pipe2(${flags})
  a = fcntl(r, F_GETFL)
  b = fcntl(w, F_GETFL)
  c = fcntl(r, F_GETFD)
  d = fcntl(w, F_GETFD)
expect:
  always r=ok w=ok a=${status} b=${status + direct + WRONLY} c=${cloexec} d=${cloexec}
`,
});
