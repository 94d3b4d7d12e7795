import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'poll of the write end of a pipe that nobody reads is ERR, with OUT while there is room',
  docs: 'E-R125 E-R124',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'empty', fill: 0, answer: '{w:OUT|ERR}', old: '{w:OUT|ERR}' },
    { why: 'one byte', fill: 1, answer: '{w:OUT|ERR}', old: '{w:ERR}' },
    { why: 'full', fill: 65536, answer: '{w:ERR}', old: '{w:ERR}' },
  ],
  program: ({ fill, answer, old }) => `
init:
  r, w = pipe2(O_NONBLOCK)
${fill === 0 ? '' : `  write(w, ${fill})`}
  close(r)
T1:
  x = poll([w:POLLOUT], 0)
expect:
  always x=${answer}
expect 2.5.44+sys_epoll-v11:
  always x=${old}
`,
});
