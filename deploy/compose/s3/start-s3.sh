#!/bin/bash
# State lives in /var/lib/ceph, so a restart finds its objects again. The keys are made at the first start and lie in /s3, one file each,
# as etcd-ops reads them; only services that open the store mount that volume.
set -euo pipefail
state=/var/lib/ceph
owner=${S3_KEYS_OWNER:-1000:1000}
rm -f /run/s3-ready
mkdir -p "$state/mon/ceph-a" "$state/osd/ceph-0" /run/ceph /etc/ceph

once() { # once NAME COMMAND...: what a first start does, and a later one must not
  [ -e "$state/.$1" ] && return 0
  "${@:2}"
  : >"$state/.$1"
}

[ -s "$state/fsid" ] || uuidgen >"$state/fsid"
cat >/etc/ceph/ceph.conf <<CONF
[global]
fsid = $(cat "$state/fsid")
mon initial members = a
mon host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
# One disk, one copy.
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
# Many small pools on one small machine.
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon max pg per osd = 4000
mon data avail crit = 1
# Ten minutes: a disk without a second one is never told that it may go on after a lease ran out, as it does where the machine is overloaded
# for eight seconds, and would wait for ever.
osd pool default read lease ratio = 30
osd objectstore = bluestore
bluestore block size = $S3_DISK_BYTES
bluestore fsck on mount = false
bluestore cache autotune = false
bluestore cache size = 134217728
osd memory target = 939524096
CONF

make_monitor() {
  ceph-authtool --create-keyring "$state/admin.keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool --create-keyring "$state/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$state/mon.keyring" --import-keyring "$state/admin.keyring"
  rm -rf "${state:?}"/mon/ceph-a/*
  monmaptool --create --clobber --fsid "$(cat "$state/fsid")" --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' /tmp/monmap
  ceph-mon --mkfs -i a --monmap /tmp/monmap --keyring "$state/mon.keyring" --mon-data "$state/mon/ceph-a"
}
once monitor make_monitor >/dev/null
ln -sf "$state/admin.keyring" /etc/ceph/ceph.client.admin.keyring
ceph-mon -i a --mon-data "$state/mon/ceph-a" --public-addr 127.0.0.1
until timeout 5 ceph -s >/dev/null 2>&1; do sleep 0.2; done

make_disk() {
  local id
  id=$(uuidgen)
  rm -rf "${state:?}"/osd/ceph-0/*
  ceph osd new "$id" >/dev/null
  ceph auth get-or-create osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' -o "$state/osd/ceph-0/keyring"
  ceph-osd -i 0 --mkfs --osd-uuid "$id" --osd-data "$state/osd/ceph-0"
  ceph osd crush add osd.0 1.0 host=demo root=default
}
once disk make_disk
ceph-osd -i 0 --osd-data "$state/osd/ceph-0"
until ceph osd stat 2>/dev/null | grep -q '1 up'; do sleep 0.2; done

random() { head -c 64 /dev/urandom | sha256sum | cut -c "1-$1"; }
make_user() {
  umask 077
  random 20 >"$state/access" && random 40 >"$state/secret"
  radosgw-admin user create --uid=etcd-ops --display-name=etcd-ops --access-key="$(cat "$state/access")" --secret-key="$(cat "$state/secret")" >/dev/null
}
once user make_user

publish_keys() {
  install -m 0400 -o "${owner%:*}" -g "${owner#*:}" "$state/access" /s3/accessKeyID
  install -m 0400 -o "${owner%:*}" -g "${owner#*:}" "$state/secret" /s3/secretAccessKey
}
make_bucket() {
  # The keys come from a file: an argument would show in the list of processes.
  local config="user = \"$(cat "$state/access"):$(cat "$state/secret")\""
  until curl -fsS -K <(echo "$config") --aws-sigv4 aws:amz:us-east-1:s3 -X PUT "http://127.0.0.1:$S3_PORT/$S3_BUCKET"; do sleep 0.5; done
  publish_keys
  : >/run/s3-ready
}
make_bucket 2>/dev/null &
exec radosgw -f --id admin --keyring="$state/admin.keyring" --rgw_frontends="beast port=$S3_PORT" --log_to_stderr=true --err_to_stderr=true --debug_rgw=0
