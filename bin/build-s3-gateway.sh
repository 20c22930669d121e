# shellcheck shell=sh
# Builds a real S3 server, Versity's gateway over a folder, from its Go module, for the tests that hold the S3 store to its word.
# Sourced after bin/bootstrap.sh by bin/test. Needs Go; without it, or without the module proxy, those tests are skipped with a reason.

s3_gateway_version=1.8.0

# build_s3_gateway <version>: versitygw in .tools/built/versitygw-<version>/bin. False, with the log, when it fails.
build_s3_gateway() {
  part=$tools/built.part.$$
  mkdir -p "$part/bin" "$tools/built"
  (
    cd "$part" || exit
    export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=mod -modcacherw -trimpath' CGO_ENABLED=0
    module=github.com/versity/versitygw
    fetch_env go mod init etcd-ops.invalid/versitygw || exit
    fetch_env go mod edit "-require=$module@v$1" || exit
    fetch_env go build -ldflags="-s -w -X main.Version=v$1" -o bin/versitygw "$module/cmd/versitygw" && fetch_env bin/versitygw --version
  ) || return 1
  rm -rf "$tools/built/versitygw-$1"
  mv "$part" "$tools/built/versitygw-$1"
}

ensure_s3_gateway() {
  [ ! -x "$tools/built/versitygw-$s3_gateway_version/bin/versitygw" ] || return 0
  if ! command -v go >/dev/null 2>&1; then
    say "there is no Go to build an S3 server with; tests that need it are skipped"
    return 0
  fi
  lock
  if [ ! -x "$tools/built/versitygw-$s3_gateway_version/bin/versitygw" ]; then
    say "building an S3 server for the tests, versitygw $s3_gateway_version (one time, a minute or two) ..."
    build_s3_gateway "$s3_gateway_version" || say "versitygw could not be built, tests that need it are skipped: $(cause)"
  fi
  unlock
}
