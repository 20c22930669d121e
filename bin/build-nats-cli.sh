#!/bin/sh
# Builds the official NATS command line into .tools/nats-cli, for test/src/fleet/nats-cli.e2e.test.ts. Needs Go and its module proxy.
set -eu

version=v0.1.5
# Of the module, as `go mod download -json` prints it; its own go.sum vouches for the rest.
sum=h1:9i7UZyDhodsP8ztIcJJP27j5nJCbndKlgJGED50mMSc=
root=$(CDPATH='' cd -P -- "$(dirname -- "$0")/.." && pwd -P)
target=$root/.tools/nats-cli

command -v go >/dev/null 2>&1 || {
  echo 'bin/build-nats-cli.sh: there is no Go here; install it, or put a nats of your own on PATH' >&2
  exit 69
}
[ ! -x "$target/nats" ] || exit 0
mkdir -p "$target"
module=github.com/nats-io/natscli@$version
facts=$(GONOSUMDB=github.com/nats-io/natscli go mod download -json "$module")
case $facts in
  *"\"$sum\""*) ;;
  *)
    echo "bin/build-nats-cli.sh: $module is not what it was when this script was written" >&2
    exit 1
    ;;
esac
directory=$(printf '%s\n' "$facts" | sed -n 's/^.*"Dir": "\(.*\)",*$/\1/p')
# The folder of modules is read-only: the build may complete go.sum in a copy.
cp "$directory/go.mod" "$directory/go.sum" "$target/"
chmod u+w "$target/go.mod" "$target/go.sum"
(cd "$directory/nats" && go build -modfile "$target/go.mod" -o "$target/nats" .)
"$target/nats" --version
