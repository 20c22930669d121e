import type { OptionsOf } from './define-command.ts';
import { text } from './flag.ts';

/** Which of the stores of a cluster: on the commands that work on a repository as it lies there. */
export const destinationFlags = {
  destination: text({
    section: 'repository',
    value: 'name',
    defaultText: { en: 'the first store', zh: '主存储' },
    en: "work on this destination of the cluster; the repository that the other flags name tells where it is. When that is away, name the destination's own --storage-provider and --bucket instead",
    zh: '对集群的该目标存储执行操作；其位置从其他参数所指的仓库中读取。若主存储不可用，请直接指定目标存储的 --storage-provider 与 --bucket',
  }),
};

export type DestinationOptions = OptionsOf<typeof destinationFlags>;
