#!/bin/bash
# A throw-away Ceph (one monitor, one in-memory OSD, one object gateway) on loopback, for tests and
# for the demo. It is a real S3 server: it checks signatures, permissions and conditions.
#
#   radosgw.sh start DIR [PORT]   prints endpoint=, accessKey=, secretKey=, otherAccessKey=,
#                                 otherSecretKey= (a second user without any rights) and log=
#   radosgw.sh stop DIR           ends every daemon; DIR stays for its logs
#
# All state is below DIR. It starts in about 12 s and takes about 600 MB of memory.
set -eu
action=${1:?start or stop} DIR=$(realpath -m "${2:?a directory for the state}") port=${3:-}
. "$(dirname "$(realpath "$0")")/daemons.sh"

if [ "$action" = stop ]; then
  stop_all
  exit 0
fi

need 'radosgw ceph-mon ceph-osd' radosgw radosgw-admin ceph-mon ceph-osd ceph ceph-authtool monmaptool
stop_all
rm -rf "$DIR"
mkdir -p "$DIR"/{mon,osd,log,run}
port=${port:-$(free_port)}
monitor=$(free_port)
monitors="[v2:127.0.0.1:$monitor,v1:127.0.0.1:$((monitor + 1))]"
fsid=$(cat /proc/sys/kernel/random/uuid)
conf=$DIR/ceph.conf

# Two settings that are easily missed: the gateway asks the monitor for encrypted messages, which
# need authentication, unless it is told "crc"; and without tcp_nodelay small answers take 40 ms.
cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = $monitors
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms mon client mode = crc
ms client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon max pg per osd = 2000
run dir = $DIR/run
crash dir = $DIR/log
log file = $DIR/log/\$name.log
admin socket = $DIR/run/\$name.asok
[mon]
mon data = $DIR/mon
mon cluster log file = $DIR/log/cluster.log
mon initial members = a
[osd]
osd data = $DIR/osd
osd objectstore = memstore
memstore device bytes = 8589934592
[client]
keyring = $DIR/keyring
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw num rados handles = 1
rgw thread pool size = 64
rgw gc max objs = 1
rgw lc max objs = 1
rgw data log num shards = 1
rgw md log max shards = 1
rgw usage max shards = 1
rgw override bucket index max shards = 1
CONF

setup() {
  echo "+ $*" >>"$DIR/log/setup.out"
  timeout 60 "$@" >>"$DIR/log/setup.out" 2>&1 || give_up radosgw
}
osd_is_up() { timeout 10 ceph -c "$conf" osd stat 2>>"$DIR/log/setup.out" | grep -q '1 up'; }
user() {
  setup radosgw-admin -c "$conf" user create --uid="$1" --display-name="$1" \
    --access-key="$2" --secret="$3"
}

setup ceph-authtool --create-keyring "$DIR/keyring" --gen-key -n client.admin \
  --cap mon 'allow *' --cap osd 'allow *'
setup ceph-authtool "$DIR/keyring" --gen-key -n mon. --cap mon 'allow *'
setup monmaptool --create --clobber --fsid "$fsid" --addv a "$monitors" "$DIR/monmap"
setup ceph-mon -c "$conf" --mkfs -i a --monmap "$DIR/monmap" --keyring "$DIR/keyring"
daemon mon ceph-mon -c "$conf" -i a -f
osd_id=$(cat /proc/sys/kernel/random/uuid)
setup ceph -c "$conf" osd new "$osd_id"
setup ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_id"
daemon osd ceph-osd -c "$conf" -i 0 -f
wait_for 30 osd osd_is_up || give_up radosgw
user layoutfs layoutfs-key layoutfs-secret
user other other-key other-secret
daemon radosgw radosgw -c "$conf" -n client.admin -f
wait_for 60 radosgw answers "$port" || give_up radosgw

cat <<REPLY
endpoint=http://127.0.0.1:$port
accessKey=layoutfs-key
secretKey=layoutfs-secret
otherAccessKey=other-key
otherSecretKey=other-secret
log=$DIR/log/client.admin.log
REPLY
