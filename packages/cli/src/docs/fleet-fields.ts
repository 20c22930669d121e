export const APPLY = {
  'added[]': 'clusters that are cared for from now on',
  'changed[]': 'clusters whose spec differs now',
  'removed[]': 'with --prune: clusters that are cared for no longer',
};
