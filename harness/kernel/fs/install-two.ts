/** Descriptors in pairs, as pipe and socketpair hand them out. */

import { copyToUser, type Kernel } from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { fdInstall, fput, getUnusedFd, mm, putUnusedFd, type File } from './file.ts';

/** Descriptors of two new files, stored as two ints at `address`; the files are given up on failure. */
export function* installTwo(
  files: readonly [File, File],
  address: number,
  cloexec: boolean,
  site: string,
): Kernel<number> {
  const first = yield* getUnusedFd(site, cloexec);
  const second = first < 0 ? first : yield* getUnusedFd(site, cloexec);
  if (second < 0) {
    if (first >= 0) yield* putUnusedFd(first, site);
    for (const file of files) yield* fput(file, site);
    return second;
  }
  yield* fdInstall(first, files[0], site);
  yield* fdInstall(second, files[1], site);
  if (!mm.accessOk(address, 8) || !(yield* copyToUser(mm, address, 8, first, site)))
    return -E.EFAULT;
  mm.store(address + 4, second);
  return 0;
}
