import type { Environment } from './s3-settings.ts';

/** Where the folders of credentials are named; what else the SDK looks for there, it reads itself. */
export function awsEnvironment(): Environment {
  const { AWS_APPLICATION_CREDENTIALS, AWS_APPLICATION_CREDENTIALS_JSON } = process.env;
  return { AWS_APPLICATION_CREDENTIALS, AWS_APPLICATION_CREDENTIALS_JSON };
}
