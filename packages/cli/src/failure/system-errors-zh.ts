/** What the system's own codes say. */
const SYSTEM_ERRORS_ZH: Readonly<Record<string, string>> = {
  EACCES: '没有权限',
  EPERM: '操作不被允许',
  EROFS: '文件系统是只读的',
  ENOSPC: '磁盘已满',
  EDQUOT: '磁盘配额已用尽',
  EIO: '磁盘输入输出错误',
  ENOENT: '文件或目录不存在',
  ENOTDIR: '路径中有一段不是目录',
  EISDIR: '它是一个目录',
  EEXIST: '文件已存在',
  EMFILE: '打开的文件过多',
  ENFILE: '系统打开的文件过多',
  ECONNREFUSED: '连接被拒绝',
  ECONNRESET: '连接被对方重置',
  ETIMEDOUT: '连接超时',
  ENOTFOUND: '域名无法解析',
  EAI_AGAIN: '域名暂时无法解析',
  EHOSTUNREACH: '主机不可达',
  ENETUNREACH: '网络不可达',
  EPIPE: '连接已断开',
  ESTALE: '网络文件系统已失效，请重新挂载',
};

/** `磁盘已满（ENOSPC）`; undefined for what is no failure of the system. */
export function systemErrorZh(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return Object.hasOwn(SYSTEM_ERRORS_ZH, code) ? `${SYSTEM_ERRORS_ZH[code]}（${code}）` : undefined;
}
