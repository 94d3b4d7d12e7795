import { defineCase } from '../../harness/case-api.ts';

const everywhere = '2.6.20 3.1 host';

export default defineCase({
  verifies: 'io_submit() refuses what a kind of request or of file does not have',
  docs: 'A-R27 A-R28',
  rows: [
    { why: 'NOOP', op: 'noop(r)', answer: 'EINVAL', on: everywhere },
    { why: 'an unknown number', op: 'opcode(77, r)', answer: 'EINVAL', on: everywhere },
    { why: 'a wait on a set', op: 'epoll_wait(r, 1, 1)', answer: 'EINVAL', on: everywhere },
    { why: 'FSYNC of a pipe', op: 'fsync(r)', answer: 'EINVAL', on: everywhere },
    { why: 'FDSYNC of a pipe', op: 'fdsync(r)', answer: 'EINVAL', on: everywhere },
    { why: 'FSYNC of a file', op: 'fsync(f)', answer: 'EINVAL', on: '2.6.20 3.1' },
    { why: 'FSYNC of a file on the host', op: 'fsync(f)', answer: '1', on: 'host' },
    { why: 'POLL', op: 'poll(w, POLLOUT)', answer: 'EINVAL', on: '2.6.20 3.1' },
    { why: 'POLL on the host', op: 'poll(w, POLLOUT)', answer: '1', on: 'host' },
    { why: 'a reserved field', op: 'pread(r, 1, reserved=1)', answer: 'EINVAL', on: everywhere },
    { why: 'a negative length', op: 'pread(r, 1, nbytes=-1)', answer: 'EINVAL', on: everywhere },
    { why: 'a negative offset', op: 'pread(f, 1, offset=-1)', answer: '1', on: '2.6.20 3.1' },
    { why: 'the same on the host', op: 'pread(f, 1, offset=-1)', answer: 'EINVAL', on: 'host' },
    {
      why: 'a buffer of the kernel',
      op: 'pread(r, 1, buf=KERNEL)',
      answer: 'EFAULT',
      on: everywhere,
    },
    { why: '1025 segments', op: 'preadv(r, [1], nbytes=1025)', answer: 'EINVAL', on: everywhere },
    { why: 'no segments', op: 'preadv(r, [])', answer: '1', on: everywhere },
    { why: 'segments nowhere', op: 'preadv(r, [1], buf=BAD)', answer: 'EFAULT', on: everywhere },
  ],
  program: ({ op, answer }) => `
init:
  c = io_setup(1)
  f = open("/tmp/file", O_RDWR)
  r, w = pipe2(O_NONBLOCK)
T1:
  x = io_submit(c, [a: ${op}])
expect:
  always x=${answer}
`,
});
