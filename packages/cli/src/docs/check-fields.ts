export const CHECKED = {
  cluster: 'the repository',
  'counts.ok': 'how many things are well',
  'counts.skip': 'how many could not be looked at',
  'counts.warn': 'how many warnings',
  'counts.fail': 'how many failures',
  'findings[].level': '`ok`, `skip`, `warn` or `fail`',
  'findings[].id': 'what was looked at, for programs: `etcd.quorum`, `store.lifecycle`, `backup.full`, ...',
  'findings[].what': 'the same for people',
  'findings[].why': 'what was found',
  'findings[].remedy': 'what to do; of warnings and failures',
  'findings[].code': 'its failure code, of warnings and failures; the exit code follows from the first failure',
};
