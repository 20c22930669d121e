# shellcheck shell=sh
# Builds from Go modules what Debian does not have and the tests hold us against. Sourced after bin/bootstrap.sh by bin/test.
# Needs Go; without it, or without the module proxy, those tests are skipped with a reason.

# The newest of each release line of etcd when this was written.
etcd_versions='3.6.16 3.7.3'
# A real S3 server: Versity's gateway over a folder.
versitygw_version=1.8.0
# The official command line of NATS, with which people ask.
nats_version=0.1.5
# Of the tag's source: what the proxy gives is held against it, and its own go.sum vouches for the rest.
nats_sum='h1:9i7UZyDhodsP8ztIcJJP27j5nJCbndKlgJGED50mMSc='
nats_mod_sum='h1:/wMPLC+QbQe/6TyJamLAfZUTMBpmF4UDyOeVtvRwwdQ='
# gardener's tool, which restores what we export, and whose backups we restore.
etcdbrctl_version=0.43.0
# Of the tag's source: what the proxy gives is held against it.
etcdbrctl_sum='h1:7qH7dxClgyxKtPYgE7iajCyelez75+kB+oH/Tz2Hk2s='
etcdbrctl_mod_sum='h1:eTHNWlHZ8d9LwHetkwognSm73BgwMwSBIQvjJozltjQ='

# Each build_<name> <version> is run in a folder of its own, with an empty go.mod, and leaves its programs in bin/.

build_etcd() {
  modules=
  for program in server etcdctl etcdutl; do modules="$modules go.etcd.io/etcd/$program/v3"; done
  for module in $modules; do fetch_env go mod edit "-require=$module@v$1" || return 1; done
  # shellcheck disable=SC2086
  fetch_env go build -ldflags='-s -w' -o bin/ $modules && mv bin/server bin/etcd
}

build_versitygw() {
  module=github.com/versity/versitygw
  fetch_env go mod edit "-require=$module@v$1" || return 1
  fetch_env go build -ldflags="-s -w -X main.Version=v$1" -o bin/versitygw "$module/cmd/versitygw"
}

# require_with_sums <module> <version> <sum> <sum of go.mod>: with the sums of all that it requires, which are its own.
require_with_sums() {
  printf '%s v%s %s\n%s v%s/go.mod %s\n' "$1" "$2" "$3" "$1" "$2" "$4" >go.sum
  fetch_env go mod edit "-require=$1@v$2" || return 1
  fetch_env go mod download "$1" || return 1
  fetch_env sh -c 'cat "$(go list -m -f "{{.Dir}}" "$0")/go.sum" >>go.sum' "$1"
}

build_nats() {
  module=github.com/nats-io/natscli
  require_with_sums "$module" "$1" "$nats_sum" "$nats_mod_sum" || return 1
  fetch_env go build -ldflags="-s -w -X main.version=v$1" -o bin/nats "$module/nats"
}

build_etcdbrctl() {
  module=github.com/gardener/etcd-backup-restore
  otelgrpc=go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc
  # The replacement is its own, too: a module that is required does not bring it along.
  fetch_env go mod edit "-replace=$otelgrpc=$otelgrpc@v0.46.0" || return 1
  require_with_sums "$module" "$1" "$etcdbrctl_sum" "$etcdbrctl_mod_sum" || return 1
  fetch_env go build -ldflags='-s -w' -o bin/etcdbrctl "$module"
}

# build_with_go <name> <version>: .tools/built/<name>-<version>, go.mod and go.sum of the build beside the programs. False, with the log, when it fails.
build_with_go() {
  part=$tools/built.part.$$
  mkdir -p "$part/bin" "$tools/built"
  (
    cd "$part" || exit
    # The toolchain at hand and no other: a test is not worth fetching a compiler for.
    export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=mod -modcacherw -trimpath' CGO_ENABLED=0
    fetch_env go mod init "etcd-ops.invalid/$1" && "build_$1" "$2" && fetch_env "bin/$1" --version
  ) || return 1
  rm -rf "$tools/built/$1-$2"
  mv "$part" "$tools/built/$1-$2"
}

# ensure_built <name> <version> <how long it takes>
ensure_built() {
  [ ! -x "$tools/built/$1-$2/bin/$1" ] || return 0
  if ! command -v go >/dev/null 2>&1; then
    say "there is no Go to build $1 $2 with; tests that need it are skipped"
    return 0
  fi
  lock
  if [ ! -x "$tools/built/$1-$2/bin/$1" ]; then
    say "building $1 $2 for the tests (one time, $3) ..."
    build_with_go "$1" "$2" || say "$1 $2 could not be built, tests that need it are skipped: $(cause)"
  fi
  unlock
}

ensure_built_programs() {
  for version in $etcd_versions; do ensure_built etcd "$version" 'a minute'; done
  ensure_built versitygw "$versitygw_version" 'a minute or two'
  ensure_built nats "$nats_version" 'a minute'
  # It takes a gigabyte of modules: only where it is asked for.
  [ -z "${ETCD_OPS_BUILD_PEERS:-}" ] || ensure_built etcdbrctl "$etcdbrctl_version" 'some minutes'
}
