import { defineCase } from '../../harness/case-api.ts';

/** -2 stands for 2^64 - 2, the largest value that can be written. */
export default defineCase({
  verifies:
    'completions count in an eventfd; one more than it can hold makes it an error for pollers',
  docs: 'A-R13 E-R140',
  ltp: 'eventfd06',
  on: 'host',
  rows: [
    {
      why: 'one completion',
      calls: ['io_submit(c, [a: pwrite(f, "ab", resfd=e)])', 'eventfd_read(e)', 'eventfd_read(e)'],
      answers: ['1', '1', 'EAGAIN'],
    },
    {
      why: 'two completions add up',
      calls: [
        'io_submit(c, [a: pwrite(f, "ab", resfd=e), b: pread(f, 1, resfd=e), d: pread(f, 1)])',
        'poll([e:POLLIN|POLLOUT], 0)',
        'eventfd_read(e)',
      ],
      answers: ['3', '{e:IN|OUT}', '2'],
    },
    {
      why: 'the counter runs over',
      calls: [
        'eventfd_write(e, -2)',
        'poll([e:POLLIN|POLLOUT], 0)',
        'io_submit(c, [a: pwrite(f, "ab", resfd=e)])',
        'poll([e:POLLIN|POLLOUT], 0)',
        'io_getevents(c, 1, 1, -1)',
      ],
      answers: ['0', '{e:IN}', '1', '{e:IN|ERR}', '{a:2}'],
    },
    {
      why: 'no descriptor',
      calls: ['io_submit(c, [a: pread(f, 1, resfd=-1)])', 'io_getevents(c, 0, 1, 0)'],
      answers: ['EBADF', '{}'],
    },
    {
      why: 'no eventfd',
      calls: ['io_submit(c, [a: pread(f, 1, resfd=f)])', 'io_getevents(c, 0, 1, 0)'],
      answers: ['EINVAL', '{}'],
    },
  ],
  program: ({ calls, answers }) => `
init:
  c = io_setup(4)
  e = eventfd(0, EFD_NONBLOCK)
  f = open("/tmp/file", O_RDWR)
T1:
${calls.map((call, at) => `  x${at} = ${call}`).join('\n')}
expect:
  always ${answers.map((answer, at) => `x${at}=${answer}`).join(' ')}
`,
});
