import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'F_SETPIPE_SZ rounds up to a power of two pages, and refuses to lose data',
  on: 'host',
  rows: [
    { why: 'one byte', bytes: 0, ask: 1, answer: '4096', size: 4096 },
    { why: 'one page', bytes: 0, ask: 4096, answer: '4096', size: 4096 },
    { why: 'three pages', bytes: 0, ask: 12288, answer: '16384', size: 16384 },
    { why: 'less than it holds', bytes: 8192, ask: 4096, answer: 'EBUSY', size: 65536 },
    { why: 'nothing', bytes: 0, ask: 0, answer: '4096', size: 4096 },
  ],
  program: ({ bytes, ask, answer, size }) => `
init:
  r, w = pipe2(O_NONBLOCK)
${bytes === 0 ? '' : `  write(w, ${bytes})`}
T1:
  x = fcntl(w, F_SETPIPE_SZ, ${ask})
  y = fcntl(w, F_GETPIPE_SZ)
expect:
  always x=${answer} y=${size}
`,
});
