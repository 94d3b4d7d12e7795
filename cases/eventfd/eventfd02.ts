import { defineCase } from '../../harness/case-api.ts';

/** -2 stands for 2^64 - 2, the largest counter; -1 for all ones, which is no value. */
export default defineCase({
  verifies:
    'a write adds to the counter; beyond its limit it is EAGAIN, of a short buffer or of all ones EINVAL',
  docs: 'E-R140',
  ltp: 'eventfd02',
  on: 'host',
  rows: [
    {
      why: 'adds',
      calls: ['eventfd_write(e, 3)', 'eventfd_write(e, 4)', 'eventfd_read(e)'],
      answers: ['0', '0', '7'],
    },
    { why: 'nothing', calls: ['eventfd_write(e, 0)', 'eventfd_read(e)'], answers: ['0', 'EAGAIN'] },
    {
      why: 'counter full',
      calls: ['eventfd_write(e, -2)', 'eventfd_write(e, 1)', 'eventfd_write(e, 0)'],
      answers: ['0', 'EAGAIN', '0'],
    },
    {
      why: 'one below the limit',
      calls: ['eventfd_write(e, -3)', 'eventfd_write(e, 2)', 'eventfd_write(e, 1)'],
      answers: ['0', 'EAGAIN', '0'],
    },
    { why: 'short buffer', calls: ['write(e, "abcdefg")'], answers: ['EINVAL'] },
    {
      why: 'all ones',
      calls: ['eventfd_write(e, -1)', 'eventfd_read(e)'],
      answers: ['EINVAL', 'EAGAIN'],
    },
  ],
  program: ({ calls, answers }) => `
init:
  e = eventfd(0, EFD_NONBLOCK)
T1:
${calls.map((call, at) => `  x${at} = ${call}`).join('\n')}
expect:
  always ${answers.map((answer, at) => `x${at}=${answer}`).join(' ')}
`,
});
