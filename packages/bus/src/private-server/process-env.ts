/** The environment of this process; read here only, so that everything else can be given another one. */
export function processEnv(): NodeJS.ProcessEnv {
  return process.env;
}
