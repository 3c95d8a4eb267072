# Shared by radosgw.sh and swift.sh, which source it: daemons whose whole state is below $DIR.

# need PACKAGES COMMAND...: leave with 3 and the packages to install when a command is missing.
need() {
  local packages=$1 command
  shift
  for command in "$@"; do
    command -v "$command" >/dev/null && continue
    echo "\"$command\" is not installed. On Debian: apt-get install --no-install-recommends $packages" >&2
    exit 3
  done
}

# A loopback port below the range the kernel takes for outgoing connections, free right now.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# daemon NAME COMMAND...: run in the background, away from our terminal and our output.
daemon() {
  local name=$1
  shift
  setsid "$@" >"$DIR/log/$name.out" 2>&1 </dev/null &
  echo $! >"$DIR/$name.pid"
}

alive() { [ -s "$DIR/$1.pid" ] && kill -0 "$(cat "$DIR/$1.pid")" 2>/dev/null; }

# wait_for SECONDS NAME COMMAND...: until the command succeeds; fails when daemon NAME is gone.
wait_for() {
  local tries=$(($1 * 10)) name=$2
  shift 2
  while [ "$tries" -gt 0 ]; do
    "$@" && return 0
    alive "$name" || return 1
    tries=$((tries - 1))
    sleep 0.1
  done
  return 1
}

# Whether an HTTP server answers at port $1.
answers() {
  local line
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
    read -r -t 2 line <&3
    [[ $line == HTTP/* ]]
  ) 2>/dev/null
}

# End every daemon of $DIR. A pid file may be older than its process: look at the command line.
stop_all() {
  local file pid signal tries
  for signal in TERM KILL; do
    for tries in $(seq 50); do
      local left=0
      for file in "$DIR"/*.pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        if grep -qF -- "$DIR" "/proc/$pid/cmdline" 2>/dev/null; then
          [ "$tries" = 1 ] && kill -s "$signal" "$pid" 2>/dev/null
          left=1
        fi
      done
      [ "$left" = 0 ] && return 0
      sleep 0.1
    done
  done
}

# give_up WHAT: the last words of every log, then nothing stays running.
give_up() {
  echo "$1 did not start; the ends of its logs:" >&2
  tail -n 15 "$DIR"/log/* >&2 || true
  stop_all
  exit 1
}
