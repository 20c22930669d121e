# shellcheck shell=sh
# Builds the versions of etcd that Debian does not have, from their Go modules, for the tests that hold every version to its word.
# Sourced after bin/bootstrap.sh by bin/test. Needs Go; without it, or without the module proxy, those tests are skipped with a reason.

# The newest of each release line when this was written; go.mod and go.sum of the build lie beside the programs.
built_etcd_versions='3.6.16 3.7.3'

# build_etcd <version>: etcd, etcdctl and etcdutl in .tools/built/etcd-<version>/bin. False, with the log, when it fails.
build_etcd() {
  part=$tools/built.part.$$
  mkdir -p "$part/bin" "$tools/built"
  (
    cd "$part" || exit
    # The toolchain at hand and no other: a test is not worth fetching a compiler for.
    export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=mod -modcacherw -trimpath' CGO_ENABLED=0
    modules=
    for program in server etcdctl etcdutl; do modules="$modules go.etcd.io/etcd/$program/v3"; done
    fetch_env go mod init etcd-ops.invalid/etcd || exit
    for module in $modules; do fetch_env go mod edit "-require=$module@v$1" || exit; done
    # shellcheck disable=SC2086
    fetch_env go build -ldflags='-s -w' -o bin/ $modules && mv bin/server bin/etcd && fetch_env bin/etcd --version
  ) || return 1
  rm -rf "$tools/built/etcd-$1"
  mv "$part" "$tools/built/etcd-$1"
}

ensure_built_etcd() {
  for version in $built_etcd_versions; do
    [ ! -x "$tools/built/etcd-$version/bin/etcd" ] || continue
    if ! command -v go >/dev/null 2>&1; then
      say "there is no Go to build etcd $version with; tests that need it are skipped"
      continue
    fi
    lock
    if [ ! -x "$tools/built/etcd-$version/bin/etcd" ]; then
      say "building etcd $version for the tests (one time, a minute) ..."
      build_etcd "$version" || say "etcd $version could not be built, tests that need it are skipped: $(cause)"
    fi
    unlock
  done
}
