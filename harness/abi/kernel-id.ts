/** Which system a call or flag is asked of: the host, or a model kernel named by base and patches. */

/** `2.5.44+sys_epoll-v11` taken apart. */
export interface KernelId {
  /** True for the Linux this runs on; base and patches are then empty. */
  readonly host: boolean;
  /** `2.5.44`, `2.6.0-test6`. */
  readonly base: string;
  /** The numbers of the base: `[2, 5, 44]`. */
  readonly version: readonly number[];
  /** In the order written. */
  readonly patches: readonly string[];
}

/** Takes a selector such as `host`, `2.6.20` or `2.5.44+sys_epoll-v11+epoll-acsem` apart; never fails. */
export function kernelIdOf(selector: string): KernelId {
  let kernel = known.get(selector);
  if (kernel === undefined) {
    kernel = takenApart(selector);
    known.set(selector, kernel);
  }
  return kernel;
}

/** Every history is asked of its kernel. */
const known = new Map<string, KernelId>();

function takenApart(selector: string): KernelId {
  if (selector === 'host') return { host: true, base: '', version: [], patches: [] };
  const [base = '', ...patches] = selector.split('+');
  const numbers = /^\d+(\.\d+)*/.exec(base)?.[0] ?? '';
  return { host: false, base, version: numbers.split('.').map(Number), patches };
}

/** Whether the base is that version or a later one; the host counts as later than all. */
export function isSince(kernel: KernelId, version: string): boolean {
  if (kernel.host) return true;
  const wanted = version.split('.').map(Number);
  for (const [i, want] of wanted.entries()) {
    const have = kernel.version[i] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

/** Whether the kernel is 2.5.44 with the sys_epoll patch, whose calls and device differ from mainline. */
export function isSysEpoll(kernel: KernelId): boolean {
  return kernel.patches.some((patch) => patch.startsWith('sys_epoll'));
}

/** Whether the kernel has io_setup() and its like here: 2.6.20 and later, and the host. */
export function hasAio(kernel: KernelId): boolean {
  return isSince(kernel, '2.6.20');
}

/** Whether it is a model kernel with AIO: it has the helper calls that are no system calls. */
export function isAioModel(kernel: KernelId): boolean {
  return !kernel.host && hasAio(kernel);
}

/** Whether a selector of a program (`2.6.20`, `2.*`, `host`) means this system. `*` stands for any text. */
export function selectorMatches(pattern: string, selector: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === selector;
  const [first = '', ...rest] = parts;
  if (!selector.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop() ?? '';
  for (const part of rest) {
    const found = selector.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return selector.length - last.length >= at && selector.endsWith(last);
}
