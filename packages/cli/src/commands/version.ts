import { defineCommand } from '../options/define-command.ts';
import { outputFlags } from '../options/general-flags.ts';

/** `etcd-ops version`: as `-v`, and as JSON for programs. */
export const versionCommand = defineCommand({
  name: 'version',
  task: 'shell',
  summary: { en: 'say which version this is', zh: '显示版本' },
  description: { en: 'Says which version this is and what it runs on.', zh: '显示版本及运行环境。' },
  flags: { ...outputFlags },
  examples: [{ command: 'etcd-ops version -o json', en: 'for programs', zh: 'JSON 输出' }],
  run: async ({ output }) => {
    const [{ version }, { emitJson, emitText }] = await Promise.all([
      import('../version.ts'),
      import('../output/emit.ts'),
    ]);
    if (output === 'table') return emitText(`etcd-ops ${version()}`);
    emitJson({ version: version(), node: process.versions.node, platform: `${process.platform}-${process.arch}` });
  },
});
