import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'io_pgetevents() refuses six mistakes with their errno, and takes nothing out of the ring',
  docs: 'A-R50',
  ltp: 'io_pgetevents02',
  on: 'host',
  rows: [
    { why: 'no context', args: '0, 1, 1, 1000, {SIGUSR1}', answer: 'EINVAL' },
    { why: 'less than none', args: 'c, -1, 1, 1000, {SIGUSR1}', answer: 'EINVAL' },
    { why: 'room for less than none', args: 'c, 1, -1, 1000, {SIGUSR1}', answer: 'EINVAL' },
    { why: 'nowhere', args: 'c, 1, 1, 1000, {SIGUSR1}, events=BAD', answer: 'EFAULT' },
    { why: 'no time limit to read', args: 'c, 1, 1, 1000, {SIGUSR1}, tmo=BAD', answer: 'EFAULT' },
    { why: 'no signal set to read', args: 'c, 1, 1, 1000, BAD', answer: 'EFAULT' },
  ],
  program: ({ args, answer }) => `
init:
  c = io_setup(1)
  f = open("/tmp/file", O_RDWR)
T1:
  x = io_submit(c, [a: pwrite(f, "ab")])
  y = io_pgetevents(${args})
  z = io_getevents(c, 0, 8, 0)
expect:
  always x=1 y=${answer} z={a:2}
`,
});
