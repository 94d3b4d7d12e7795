import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  /** What a second thread does. */
  readonly other?: string;
  readonly answer: string;
}

const rows: readonly Row[] = [
  { why: 'ready', call: 'poll([p:POLLIN, q:POLLOUT], -1)', answer: '{p:IN, q:OUT}' },
  { why: 'timeout', call: 'poll([r:POLLIN], 10)', answer: '{}' },
  { why: 'timeout 0', call: 'poll([r:POLLIN], 0)', answer: '{}' },
  { why: 'no descriptors', call: 'poll([], 10)', answer: '{}' },
  {
    why: 'negative timeout',
    call: 'poll([r:POLLIN], -2)',
    other: 'write(w, "b")',
    answer: '{r:IN}',
  },
  { why: 'signal', call: 'poll([r:POLLIN], -1)', other: 'kill(T1, SIGUSR1)', answer: 'EINTR' },
  { why: 'unmapped set', call: 'poll(BAD, 0)', answer: 'EFAULT' },
  { why: 'set in the kernel', call: 'poll(KERNEL, 0)', answer: 'EFAULT' },
];

export default defineCase({
  verifies:
    'poll() reports what is ready, ends with the timeout and with a signal, and refuses a bad set',
  ltp: 'ppoll01',
  on: '2.6.20 host',
  rows,
  program: ({ call, other, answer }) => `
init:
  r, w = pipe2(O_NONBLOCK)
  p, q = socketpair(AF_UNIX, SOCK_STREAM)
  write(q, "a")
T1:
  x = ${call}
${other === undefined ? '' : `T2:\n  sleep(20)\n  o = ${other}`}
expect:
  always x=${answer}
`,
});
