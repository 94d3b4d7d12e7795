import t, { type Test } from 'tap';
import {
  ProgramSyntaxError,
  compareSizes,
  formatResult,
  isSmaller,
  matches,
  missingOn,
  outcomeText,
  parseProgram,
  parseSyntax,
  printProgram,
  problemOf,
  shrinkProgram,
  sizeOf,
  type Arg,
  type CallResult,
  type Completion,
  type Program,
  type Result,
  type ValuePattern,
} from './index.ts';

const EXAMPLE = `name: example
on: 2.6.20+fs-aio+aio-epoll-wait
jiffies: 4294967000
long-bits: 32
ring: 4
aio-max-nr: 1
slots: 2
service: 3

init:
  c = io_setup(4)
  k = io_setup(4, ctxp=1)
  io_setup(-1, ctxp=BAD)
  r, w = pipe2(O_NONBLOCK)
  e = epoll_create(1)
T1:
  n = io_submit(c, [a: pread(r, 100), b: pwrite(w, "a]b", offset=-1), BAD, d: epoll_wait(e, 8, -1)])
  m = io_submit(c, [a, a], nr=-1)
  io_submit(c, [])
  io_submit(0x40000000, BAD)
  g = io_getevents(c, 1, 8, -1, events=mapped(1), tmo=BAD)
  close(r) if g == {a:0}
  close(w) if g != [d:{r:IN+}, b:*, a:"x", 5:-512]
T2:
  x = io_cancel(c, a, result=BAD)
  d = io_destroy(c)
  v = io_submit(k, [f: preadv(r, [1, BAD], buf=BAD), h: pwritev(w, ["ab", 10]), o: opcode(99, r, nbytes=7)])
  s = io_submit(k, [i: fsync(r, reserved=1), j: fdsync(r), l: noop(r, resfd=w), p: poll(r, POLLIN|0x800)])
  y = io_pgetevents(k, 0, 8, 5, {SIGUSR1})
  io_cancel(c, BAD)
T3:
  aio_ring(c, head)
  z = aio_ring(c, tail, -3)
  q = aio_ring_reap(c)
  munmap(c)
  mp = mmap(at=c)
  fork()
  u = disk_stat("order")
  exit_group()
expect:
  always g={a:EINTR}|{}|EINTR x=[a:ok]
  never T1.5={b:0} T3.3=[a:1]
  finding CANCEL
  absent LOST-EVENT at 2.6-IC3
  clean
`;

t.test('requests, contexts and completions print as they are written', async (t) => {
  const program = parseProgram(EXAMPLE, 'example.prog');

  t.equal(printProgram(program), EXAMPLE);
  t.same(parseProgram(printProgram(program), 'other.prog'), program);
  t.match(program.threads[0][0].args[1], {
    kind: 'iocbs',
    entries: [
      { name: 'a', op: { name: 'pread' } },
      { name: 'b', op: { args: [{}, {}, { kind: 'labelled', label: 'offset' }] } },
      { kind: 'pointer', where: 'BAD' },
      {},
    ],
  });
});

t.test('a list of results is of completions where the call answers with them', async (t) => {
  const of = (call: string): string => {
    const text = `init:\n c = io_setup(1)\n a, r = pipe()\nT1:\n io_submit(c, [a: noop(r)])\n x = ${call}\nexpect:\n always x={a:0}`;
    const [expectation] = parseProgram(text, 'x.prog').expect[0].expectations;
    return expectation.kind === 'always' ? expectation.outcome.terms[0].values[0].kind : '';
  };

  t.equal(of('io_getevents(c, 0, 1, 0)'), 'completions');
  t.equal(of('io_cancel(c, a)'), 'completions');
  t.equal(of('aio_ring_reap(c)'), 'completions');
  t.equal(of('poll([a:POLLIN], 0)'), 'events');
});

/** What is written, and the one line that answers it. `P` is a valid beginning of five lines. */
const P =
  'init:\n  c = io_setup(4)\n  r, w = pipe()\nT1:\n  n = io_submit(c, [a: pread(r, 1), first: noop(w)])\n';
const MALFORMED: readonly (readonly [text: string, message: string])[] = [
  [
    'ring: 1',
    '1:7: Cannot use "1" as "ring": slots of every completion ring, one of which stays empty, such as "4"',
  ],
  [
    'long-bits: 16',
    '1:12: Cannot use "16" as "long-bits": bits of a long in the modelled process, such as "32"',
  ],
  [
    'jiffys: 1',
    '1:1: Cannot read "jiffys:": it is no header key or section, did you mean "jiffies"?',
  ],
  // lists
  [
    `${P}  io_submit(c, [1])`,
    '6:17: Cannot read an iocb list: expected the name of an iocb, found "1"',
  ],
  [`${P}  io_submit(c, [a:])`, '6:19: Cannot read iocb "a": expected a request, found "]"'],
  [
    `${P}  io_submit(c, [b: pread])`,
    '6:25: Cannot read the request "pread": expected "(", found "]"',
  ],
  [
    `${P}  io_submit(c, [b: pread(r, 1])`,
    '6:30: Cannot read the arguments of pread(): expected ",", found "]"',
  ],
  [`${P}  io_submit(c, [a first])`, '6:19: Cannot read an iocb list: expected ",", found "first"'],
  [
    `${P}  io_submit(c, [b: prad(r, 1)])`,
    '6:20: Cannot submit "prad": no such request, did you mean "pread"?',
  ],
  [
    `${P}  io_submit(c, [b: pread(r)])`,
    '6:20: Cannot submit pread() with 1 argument: it takes (fd, count, [buf=], [offset=], [nbytes=], [reserved=], [rw_flags=], [resfd=])',
  ],
  [
    `${P}  io_submit(c, [b: epoll_wait(r, 1)])`,
    '6:20: Cannot submit epoll_wait() with 2 arguments: it takes (epfd, maxevents, timeout, [buf=], [offset=], [nbytes=], [reserved=], [rw_flags=], [resfd=])',
  ],
  [
    `${P}  io_submit(c, [b: noop(r, 1)])`,
    '6:28: Cannot submit noop() with 2 arguments: it takes (fd, [buf=], [offset=], [nbytes=], [reserved=], [rw_flags=], [resfd=])',
  ],
  [
    `${P}  io_submit(c, [b: pread(r, "x")])`,
    '6:29: Cannot use "x" as count of pread(): expected a decimal number',
  ],
  [
    `${P}  io_submit(c, [b: pread(r, -1)])`,
    '6:29: Cannot use -1 as a number of bytes: it goes from 0 to 1048576',
  ],
  [
    `${P}  io_submit(c, [b: pwrite(w, BAD)])`,
    '6:30: Cannot use this as data of pwrite(): expected a string or a number of bytes',
  ],
  [
    `${P}  io_submit(c, [b: preadv(r, 1)])`,
    '6:30: Cannot use 1 as segments of preadv(): expected a list such as [1, 4096]',
  ],
  [
    `${P}  io_submit(c, [b: preadv(r, ["a"])])`,
    '6:31: Cannot use "a" as a segment of preadv(): expected a number of bytes',
  ],
  [
    `${P}  io_submit(c, [b: preadv(r, [1 x 0])])`,
    '6:35: Cannot repeat a segment: expected a number from 1 to 1025 after "x"',
  ],
  [
    `${P}  io_submit(c, [b: pwritev(w, [w])])`,
    '6:32: Cannot use w as a segment of pwritev(): expected a string or a number of bytes',
  ],
  [
    `${P}  io_submit(c, [b: noop(r, bfu=BAD)])`,
    '6:28: Cannot label an argument of noop() "bfu", did you mean "buf"?',
  ],
  [`${P}  io_submit(c, [b: noop(q)])`, '6:25: Cannot use "q": nothing binds it'],
  [
    `${P}  io_submit(c, [b: noop(c)])`,
    '6:25: Cannot use "c" as fd of noop(): it is a context, not a descriptor',
  ],
  [`${P}  io_submit(c, [b: noop(r), b: noop(r)])`, '6:29: Cannot fill iocb "b" twice in one list'],
  [`${P}  io_submit(c, [ok: noop(r)])`, '6:17: Cannot name an iocb "ok": the word is reserved'],
  [`${P}  io_submit(c, [b])`, '6:17: Cannot use iocb "b": no io_submit() fills it'],
  [
    `${P}  io_submit(c, [frist])`,
    '6:17: Cannot use iocb "frist": no io_submit() fills it, did you mean "first"?',
  ],
  [
    `${P}  io_submit(c, [b: poll(r, [r:POLLIN])])`,
    '6:28: Cannot use [r:POLLIN] as events of poll(): expected EPOLLIN or its like',
  ],
  // the other calls
  [
    `${P}  io_sumbit(c, [a])`,
    '6:3: Cannot call "io_sumbit": no such call, did you mean "io_submit"?',
  ],
  [
    `${P}  io_submit(r, [a])`,
    '6:13: Cannot use "r" as ctx of io_submit(): it is a descriptor, not a context',
  ],
  [
    `${P}  io_submit(c, a)`,
    '6:16: Cannot use a as iocbs of io_submit(): expected a list such as [a: pread(r, 1)]',
  ],
  [`${P}  io_destroy(k)`, '6:14: Cannot use "k": nothing binds it'],
  [
    'T1:\n  c = io_setup(1)\nT2:\n  io_destroy(c)',
    '4:14: Cannot use "c" here: it is bound later or by another thread; bind it in init',
  ],
  [
    `${P}  io_cancel(c, frst)`,
    '6:16: Cannot use iocb "frst": no io_submit() fills it, did you mean "first"?',
  ],
  [
    `${P}  io_cancel(c, 7)`,
    '6:16: Cannot use 7 as iocb of io_cancel(): expected the name of an iocb, or a bad pointer such as BAD',
  ],
  [
    `${P}  io_getevents(c, 1, 1)`,
    '6:3: Cannot call io_getevents() with 3 arguments: it takes (ctx, min_nr, nr, timeout, [events=], [tmo=])',
  ],
  [
    `${P}  io_setup(1, ctxp=r)`,
    '6:20: Cannot use r as ctxp of io_setup(): expected a number, or a bad pointer such as BAD',
  ],
  [
    `${P}  aio_ring(c, tial)`,
    '6:15: Cannot use tial as field of aio_ring(): expected head or tail, did you mean "tail"?',
  ],
  [`${P}  disk_stat(3)`, '6:13: Cannot use 3 as name of disk_stat(): expected a name in quotes'],
  [`${P}  m = mmap(r)`, '6:3: Cannot call mmap() so: it takes (fd, pages) or (at=)'],
  [`${P}  m = mmap(r, 1, at=c)`, '6:3: Cannot call mmap() so: it takes (fd, pages) or (at=)'],
  ['init:\n  exit_group()', '2:3: Cannot exit in init: no thread runs yet'],
  // results
  [
    `${P}  g = io_getevents(c, 0, 1, 0)\nexpect:\n  always g={b:1}`,
    '8:13: Cannot expect a result of "b": no such iocb',
  ],
  [
    `${P}  g = io_getevents(c, 0, 1, 0)\nexpect:\n  always g={a:EGAIN}`,
    '8:15: Cannot read the result "EGAIN" of a: it is no number, errno, string, events, ok or *, did you mean "EAGAIN"?',
  ],
  [
    `${P}  g = io_getevents(c, 0, 1, 0)\nexpect:\n  always g={a}`,
    '8:14: Cannot read results: expected ":", found "}"',
  ],
  [
    `${P}  g = io_getevents(c, 0, 1, 0)\nexpect:\n  always g={a:{q:IN}}`,
    '8:16: Cannot expect an event of "q": no such descriptor',
  ],
  [
    `${P}expect:\n  always n={a:1}`,
    '7:15: Cannot read events: expected an event after ":", found "1"; results of iocbs are what io_getevents() and io_cancel() report',
  ],
];

t.test('malformed requests are refused with one line that has position and reason', async (t) => {
  for (const [text, message] of MALFORMED) {
    let caught: unknown = null;
    try {
      parseProgram(text, 'bad.prog');
    } catch (error) {
      caught = error;
    }
    const found = caught instanceof ProgramSyntaxError ? caught.message : String(caught);
    t.equal(found, `bad.prog:${message}`, JSON.stringify(text.split('\n').at(-1)));
    t.notOk(found.includes('\n'), 'one line');
  }
});

t.test('each target has its calls of AIO', async (t) => {
  const missing = (text: string, selector: string): string | null =>
    missingOn(parseProgram(`init:\n  c = io_setup(1)\nT1:\n  ${text}\n`, 'x.prog'), selector);

  for (const kernel of ['2.6.20', '2.6.20+fs-aio', '3.1', '3.1+kiocb-batch-v3', 'host'])
    t.equal(missing('io_destroy(c)', kernel), null, kernel);
  t.equal(
    missing('io_destroy(c)', '2.5.44+sys_epoll-v11'),
    '2.5.44+sys_epoll-v11 has no io_setup()',
  );
  t.equal(missing('io_pgetevents(c, 0, 1, 0, {})', '2.6.20'), '2.6.20 has no io_pgetevents()');
  t.equal(missing('fork()', 'host'), 'host has no fork()');
  t.equal(missing('disk_stat("order")', '2.6.20'), '2.6.20 has no disk_stat()');
  t.equal(missing('disk_stat("order")', '3.1'), null);
  t.equal(missing('epoll_create(1)', '3.1'), '3.1 has no epoll_create()');
  t.equal(missing('m = mmap(at=c)', '2.6.20'), null);
  t.equal(missing('m = mmap(3, 1)', '2.6.20'), '2.6.20 has no mmap() of a descriptor');
});

function pattern(text: string): ValuePattern {
  const source =
    'init:\n  c = io_setup(1)\n  r, w = pipe()\n  io_submit(c, [a: noop(r), b: noop(r)])\n' +
    `  x = io_getevents(c, 0, 1, 0)\nexpect:\n  always x=${text}\n`;
  const [expectation] = parseProgram(source, 'x.prog').expect[0].expectations;
  if (expectation.kind !== 'always') throw new Error('always is always');
  return expectation.outcome.terms[0].values[0];
}

function completions(
  ...list: readonly (readonly [string, number, Partial<Completion>?])[]
): Result {
  const events = list.map(([name, res, more]) => ({ name, res, res2: 0, ...more }));
  return { kind: 'completions', events };
}

t.test('patterns of completions match by iocb, result, bytes and events', async (t) => {
  const wait = { events: [{ name: 'r', mask: 1 }] };
  const yes: readonly (readonly [string, Result])[] = [
    ['{}', completions()],
    ['0', completions()],
    ['{}', { kind: 'value', value: 0 }],
    ['2', completions(['a', 0], ['b', 0])],
    ['ok', completions()],
    ['{b:0, a:EINTR}', completions(['a', -4], ['b', 0])],
    ['[a:EINTR, b:0]', completions(['a', -4], ['b', 0])],
    ['{a:ok, a:-512}', completions(['a', -512], ['a', 3])],
    ['{a:"xy"}', completions(['a', 2, { data: 'xy' }])],
    ['{a:{r:IN}}', completions(['a', 1, wait])],
    ['{a:1}', completions(['a', 1, wait])],
    ['{a:*, 4096:*}', completions(['4096', -22], ['a', 1])],
  ];
  const no: readonly (readonly [string, Result])[] = [
    ['{}', completions(['a', 0])],
    ['{a:0}', completions()],
    ['{a:0}', completions(['b', 0])],
    ['{a:ok}', completions(['a', -4])],
    ['{a:EINTR}', completions(['a', -11])],
    ['[b:0, a:EINTR]', completions(['a', -4], ['b', 0])],
    ['{a:"xy"}', completions(['a', 2, { data: 'xz' }])],
    ['{a:{r:OUT}}', completions(['a', 1, wait])],
    ['{a:*}', { kind: 'errno', errno: 'EINVAL' }],
  ];

  for (const [text, result] of yes)
    t.ok(matches(pattern(text), result), `${text} is ${JSON.stringify(result)}`);
  for (const [text, result] of no)
    t.notOk(matches(pattern(text), result), `${text} is not ${JSON.stringify(result)}`);
});

t.test(
  'completions print in the order delivered; what they brought only where it is asked for',
  async (t) => {
    const calls =
      'init:\n  c = io_setup(1)\n  k = io_setup(1)\n  r, w = pipe()\nT1:\n' +
      '  io_submit(c, [a: pread(r, 2), b: epoll_wait(r, 1, 0)])\n' +
      '  x = io_getevents(c, 2, 2, -1)\n  y = io_getevents(c, 2, 2, -1)\n';
    const program = parseProgram(`${calls}expect:\n  always y={a:"xy", b:*}\n`, 'x.prog');
    const result = completions(
      ['a', 2, { data: 'xy' }],
      ['b', 1, { events: [{ name: 'r', mask: 1 }] }],
      ['64', -512],
    );
    const records: readonly CallResult[] = [
      { thread: -1, index: 0, result: { kind: 'value', value: 0x40000000 } },
      { thread: -1, index: 1, result: { kind: 'errno', errno: 'EAGAIN' } },
      { thread: 0, index: 1, result },
      { thread: 0, index: 2, result },
    ];

    t.equal(formatResult(result), '[a:2, b:1, 64:-512]');
    t.equal(formatResult(completions(['a', -11])), '[a:EAGAIN]');
    t.equal(
      outcomeText(program, records),
      'k=EAGAIN x=[a:2, b:1, 64:-512] y=[a:"xy", b:[r:IN], 64:-512]',
    );
  },
);

/** All programs that shrinking can come to, one step after another, with the laws held at each. */
function shrinkAll(t: Test, program: Program): readonly string[] {
  const texts: string[] = [];
  for (const small of shrinkProgram(program)) {
    const text = printProgram(small);
    texts.push(text);
    if (problemOf(small) !== null) t.fail(`${problemOf(small)}:\n${text}`);
    if (!isSmaller(small, program)) t.fail(`not smaller:\n${text}`);
    t.same(parseProgram(text, ''), small);
  }
  return texts;
}

t.test('equal segments are written as one and their number', async (t) => {
  const text =
    'T1:\n  io_submit(0, [a: preadv(0, [2, 1 x 1024, BAD x 4]), b: pwritev(0, ["a", "a", "a"])])\n';
  const program = parseSyntax(text, '');
  const lengths: number[] = [];
  for (const { segments } of vectors(program)) lengths.push(segments.length);

  t.equal(printProgram(program), text);
  t.same(lengths, [1029, 3]);
  t.ok(
    shrinkAll(t, program).some((one) => one.includes('preadv(0, [2, 1 x 513])')),
    'half of it',
  );
});

function vectors(program: Program): Extract<Arg, { kind: 'iovec' }>[] {
  const entries = program.threads[0][0].args.flatMap((arg) =>
    arg.kind === 'iocbs' ? arg.entries : [],
  );
  return entries
    .flatMap((entry) => (entry.kind === 'pointer' ? [] : (entry.op?.args ?? [])))
    .filter((arg) => arg.kind === 'iovec');
}

t.test('shrinking drops and simplifies requests together with what refers to them', async (t) => {
  const program = parseSyntax(
    'init:\n  c = io_setup(4)\n  r, w = pipe()\n  d = dup(r)\nT1:\n' +
      '  n = io_submit(c, [a: preadv(d, [4, 10]), b: pwrite(w, "ab", offset=3), BAD])\n' +
      '  g = io_getevents(c, 1, 2, -1)\n  io_submit(c, [b, a])\nT2:\n  x = io_cancel(c, b)\n' +
      'expect:\n  always g={a:1} x=EAGAIN\n  never g={b:2}\n  clean\n',
    '',
  );

  const texts = shrinkAll(t, program);
  const has = (part: string): boolean => texts.some((text) => text.includes(part));

  t.equal(problemOf(program), null);
  t.ok(has('[a: preadv(d, [4, 10]), BAD]'), 'without b');
  const withoutB = texts.find((text) => text.includes('[a: preadv(d, [4, 10]), BAD]')) ?? '';
  t.match(withoutB, /io_submit\(c, \[a\]\)\nexpect:\n {2}always g=\{a:1\}\n {2}clean\n$/);
  t.ok(has('a: pread(d, 4), b: '), 'one segment, no vector');
  t.ok(has('a: preadv(d, [10])') && has('a: preadv(d, [1, 10])'), 'fewer and smaller segments');
  t.ok(has('b: pwrite(w, "ab")]') || has('b: pwrite(w, "ab"), BAD]'), 'without the odd field');
  t.ok(has('b: pwrite(w, "a", offset=3)'), 'fewer bytes');
  t.ok(has('[b: pwrite(w, "ab", offset=3), BAD]'), 'without a');
  t.ok(has('a: preadv(r, [4, 10])'), 'without the duplicate');
});

t.test('the size order counts requests and what is in them', async (t) => {
  const size = (list: string) =>
    sizeOf(
      parseSyntax(`init:\n c = io_setup(1)\n r, w = pipe()\nT1:\n io_submit(c, [${list}])\n`, ''),
    );
  const order = ['a', 'BAD', 'a: pread(r, 0)', 'a: pread(r, 1)', 'a: pread(r, 1), b: pread(r, 1)'];

  for (const [i, list] of order.entries()) {
    const next = order[i + 1];
    if (next !== undefined) t.ok(compareSizes(size(list), size(next)) < 0, `${list} < ${next}`);
  }
});
