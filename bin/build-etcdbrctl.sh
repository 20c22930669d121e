# shellcheck shell=sh
# Builds gardener's etcdbrctl from its Go module, for the tests that let it restore what we export and us restore what it took.
# Sourced after bin/bootstrap.sh by bin/test. Only where ETCD_OPS_BUILD_PEERS is set: it takes a gigabyte of modules and some minutes.

etcdbrctl_version=0.43.0
# Of the tag's source: what the proxy gives is held against it.
etcdbrctl_sum='h1:7qH7dxClgyxKtPYgE7iajCyelez75+kB+oH/Tz2Hk2s='
etcdbrctl_mod_sum='h1:eTHNWlHZ8d9LwHetkwognSm73BgwMwSBIQvjJozltjQ='

# build_etcdbrctl <version>: etcdbrctl in .tools/built/etcdbrctl-<version>/bin. False, with the log, when it fails.
build_etcdbrctl() {
  part=$tools/built.part.$$
  mkdir -p "$part/bin" "$tools/built"
  (
    cd "$part" || exit
    export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=mod -modcacherw -trimpath' CGO_ENABLED=0
    module=github.com/gardener/etcd-backup-restore
    otelgrpc=go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc
    fetch_env go mod init etcd-ops.invalid/etcdbrctl || exit
    printf '%s v%s %s\n%s v%s/go.mod %s\n' "$module" "$1" "$etcdbrctl_sum" "$module" "$1" "$etcdbrctl_mod_sum" >go.sum
    # The replacement is its own: a module that is required does not bring it along. So are the sums of all others.
    fetch_env go mod edit "-require=$module@v$1" "-replace=$otelgrpc=$otelgrpc@v0.46.0" || exit
    fetch_env go mod download "$module" || exit
    fetch_env sh -c 'cat "$(go list -m -f "{{.Dir}}" "$0")/go.sum" >>go.sum' "$module" || exit
    fetch_env go build -ldflags='-s -w' -o bin/etcdbrctl "$module" && fetch_env bin/etcdbrctl --version
  ) || return 1
  rm -rf "$tools/built/etcdbrctl-$1"
  mv "$part" "$tools/built/etcdbrctl-$1"
}

ensure_etcdbrctl() {
  [ -n "${ETCD_OPS_BUILD_PEERS:-}" ] && [ ! -x "$tools/built/etcdbrctl-$etcdbrctl_version/bin/etcdbrctl" ] || return 0
  if ! command -v go >/dev/null 2>&1; then
    say "there is no Go to build etcdbrctl with; tests that need it are skipped"
    return 0
  fi
  lock
  if [ ! -x "$tools/built/etcdbrctl-$etcdbrctl_version/bin/etcdbrctl" ]; then
    say "building etcdbrctl $etcdbrctl_version for the tests (one time, some minutes) ..."
    build_etcdbrctl "$etcdbrctl_version" || say "etcdbrctl could not be built, tests that need it are skipped: $(cause)"
  fi
  unlock
}
