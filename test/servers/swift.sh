#!/bin/bash
# A throw-away OpenStack Swift with its s3api middleware on loopback: a second, independent S3
# server for tests.
#
#   swift.sh start DIR [PORT]   prints endpoint=, accessKey=, secretKey=, otherAccessKey=,
#                               otherSecretKey= (a second user without any rights) and log=
#   swift.sh stop DIR           ends every daemon; DIR stays for its logs
#
# All state is below DIR, whose file system must support extended attributes.
set -eu
action=${1:?start or stop} DIR=$(realpath -m "${2:?a directory for the state}") port=${3:-}
. "$(dirname "$(realpath "$0")")/daemons.sh"

if [ "$action" = stop ]; then
  stop_all
  exit 0
fi

need 'swift-proxy swift-account swift-container swift-object memcached' \
  swift-proxy-server swift-account-server swift-container-server swift-object-server \
  swift-ring-builder memcached
stop_all
rm -rf "$DIR"
mkdir -p "$DIR"/{dev/d1,log}
port=${port:-$(free_port)}

# Swift reads its main configuration from /etc only, and that belongs to the host.
cat >"$DIR/serve.py" <<'PYTHON'
import sys
from swift.common import utils
utils.SWIFT_CONF_FILE = sys.argv.pop(1)
from swift.common.wsgi import run_wsgi
role = sys.argv.pop(1)
conf_file, options = utils.parse_options()
sys.exit(run_wsgi(conf_file, role, **options))
PYTHON
cat >"$DIR/swift.conf" <<CONF
[swift-hash]
swift_hash_path_suffix = layoutfs
swift_hash_path_prefix = test
[storage-policy:0]
name = Policy-0
default = yes
CONF

serve() { daemon "$1" /usr/bin/python3 "$DIR/serve.py" "$DIR/swift.conf" "$1-server" "$DIR/$1.conf"; }
ring() {
  echo "+ swift-ring-builder $*" >>"$DIR/log/setup.out"
  # It leaves with 1 for warnings; a missing ring shows when the servers start.
  swift-ring-builder "$@" >>"$DIR/log/setup.out" 2>&1 || true
}

for role in account container object; do
  backend=$(free_port)
  ring "$DIR/$role.builder" create 2 1 1
  ring "$DIR/$role.builder" add "r1z1-127.0.0.1:$backend/d1" 1
  ring "$DIR/$role.builder" rebalance
  cat >"$DIR/$role.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $backend
user = $(id -un)
swift_dir = $DIR
devices = $DIR/dev
mount_check = false
workers = 0
log_address = $DIR/no-syslog
[pipeline:main]
pipeline = $role-server
[app:$role-server]
use = egg:swift#$role
fallocate_reserve = 0
CONF
  serve "$role"
done

cache=$(free_port)
# The pid file's only use is to have DIR on the command line, which is how stop knows its own.
daemon memcached memcached -u "$(id -un)" -l 127.0.0.1 -p "$cache" -P "$DIR/memcached.own"
cat >"$DIR/proxy.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = $(id -un)
swift_dir = $DIR
workers = 0
log_address = $DIR/no-syslog
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_layoutfs = layoutfs-secret .admin
user_test_other = other-secret
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
CONF
serve proxy
wait_for 60 proxy answers "$port" || give_up swift
for role in account container object memcached; do alive "$role" || give_up swift; done

cat <<REPLY
endpoint=http://127.0.0.1:$port
accessKey=test:layoutfs
secretKey=layoutfs-secret
otherAccessKey=test:other
otherSecretKey=other-secret
log=$DIR/log/proxy.out
REPLY
