import t from 'tap';
import { BAD, sequenceAio } from './aio.test-kit.ts';

t.test('smoke', async (t) => {
  const lines = sequenceAio(function* (u) {
    yield* u.pipe('r', 'w');
    yield* u.note('setup', u.setup('c', 4));
    yield* u.write('w', 'abc');
    yield* u.note('submit', u.submit('c', u.pread('a', 'r', 3), u.pread('b', 'r', 3)));
    yield* u.note('cancel', u.cancel('c', u.iocbAt('a')));
    yield* u.note('reap', u.reap('c', 1, 8));
    yield* u.note('empty', u.reap('c', 0, 8));
    yield* u.note('timeout', u.reap('c', 1, 8, 10));
    yield* u.note('destroy', u.destroy('c'));
    yield* u.note('again', u.destroy('c'));
    yield* u.note('bad', u.setup('c', 4, BAD));
  });
  t.same(lines, []);
});
