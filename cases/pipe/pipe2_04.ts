import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'a pipe of one page that is full refuses a non-blocking writer and lets a blocking one sleep until it is read',
  ltp: 'pipe2_04',
  on: 'host',
  rows: [
    { why: 'non-blocking', flags: 'O_NONBLOCK', outcomes: ['n=EAGAIN k=4096', 'n=1 k=4096'] },
    { why: 'blocking', flags: '0', outcomes: ['n=1 k=4096'] },
  ],
  program: ({ flags, outcomes }) => `
init:
  r, w = pipe2(${flags})
  fcntl(w, F_SETPIPE_SZ, 4096)
  write(w, 4096)
T1:
  n = write(w, "a")
T2:
  k = read(r, 4096)
expect:
${outcomes.map((outcome) => `  outcome ${outcome}`).join('\n')}
`,
});
