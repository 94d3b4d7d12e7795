/** Which calls and flags generated programs may use. */

import { SYSCALLS, flagOf, isSysEpoll, kernelIdOf } from '../../abi/index.ts';

/** What a kernel has, as far as generated programs care. */
export interface KernelProfile {
  /** `2.6.20`, `2.5.44+sys_epoll-v11`, `host`. */
  readonly selector: string;
  readonly calls: ReadonlySet<string>;
  /** EPOLLET and EPOLLONESHOT mean something; sets are level-triggered by default. */
  readonly triggers: boolean;
  /** `/dev/epoll`, its ioctls and mappings. */
  readonly device: boolean;
  readonly addAndTest: boolean;
  readonly rdhup: boolean;
  /** Bytes of an empty pipe. */
  readonly pipeCapacity: number;
}

/** The profile of a model kernel or of the host, by selector. */
export function profileOf(selector: string): KernelProfile {
  const kernel = kernelIdOf(selector);
  const has = (flag: string): boolean => flagOf(flag)?.exists(kernel) ?? false;
  return {
    selector,
    calls: new Set(SYSCALLS.filter((spec) => spec.exists(kernel)).map((spec) => spec.name)),
    triggers: has('EPOLLET'),
    device: isSysEpoll(kernel),
    addAndTest: has('EPOLL_CTL_ADD_AND_TEST'),
    rdhup: has('EPOLLRDHUP'),
    pipeCapacity: isSysEpoll(kernel) ? 4096 : 65536,
  };
}
