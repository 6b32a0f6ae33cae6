#!/usr/bin/env bash
# The real brokers on loopback: mosquitto, Kafka (KRaft) and ZooKeeper. `stack.sh start|stop|status`.
#   STACK_DIR         data and logs   (default .stack, ignored by git)
#   MQTT_PORT, KAFKA_PORT, KAFKA_CONTROLLER_PORT, ZOOKEEPER_PORT   (default 21883 29092 29093 22181)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=${STACK_DIR:-$root/.stack}
mqtt=${MQTT_PORT:-21883} kafka=${KAFKA_PORT:-29092} controller=${KAFKA_CONTROLLER_PORT:-29093} zk=${ZOOKEEPER_PORT:-22181}

say() { printf 'stack: %s\n' "$*"; }

# answers PORT: something accepts connections there.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# alive NAME: it runs. One that has ended and that nobody has waited for does not.
alive() {
  local pid
  [ -f "$dir/$1.pid" ] && pid=$(cat "$dir/$1.pid") && kill -0 "$pid" 2>/dev/null &&
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"
}

# launch NAME PORT COMMAND...: starts it in the background unless it runs, and waits until it answers.
launch() {
  local name=$1 port=$2; shift 2
  if alive "$name"; then say "$name runs on 127.0.0.1:$port"; return; fi
  if answers "$port"; then
    say "port $port is taken: stop what listens there, or choose another for $name (see deps/stack.sh)"; exit 1
  fi
  setsid "$@" >"$dir/$name.log" 2>&1 </dev/null &
  echo $! > "$dir/$name.pid"
  local i
  for i in $(seq 300); do
    answers "$port" && { say "$name answers on 127.0.0.1:$port"; return; }
    alive "$name" || { say "$name ended at once:"; tail -n 5 "$dir/$name.log"; exit 1; }
    sleep 0.1
  done
  say "$name does not answer after 30 s: see $dir/$name.log"; exit 1
}

start() {
  [ -d "$root/.deps/kafka" ] || { say "the brokers are not here: run make setup"; exit 1; }
  mkdir -p "$dir/mqtt" "$dir/zookeeper"
  local mosquitto; mosquitto=$(PATH=$PATH:/usr/sbin command -v mosquitto)

  cat > "$dir/mosquitto.conf" <<CONF
listener $mqtt 127.0.0.1
allow_anonymous true
persistence true
persistence_location $dir/mqtt/
autosave_interval 30
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
message_size_limit 8388608
set_tcp_nodelay true
$( [ "$(id -u)" != 0 ] || echo "user root" )
CONF
  launch mosquitto "$mqtt" "$mosquitto" -c "$dir/mosquitto.conf"

  cat > "$dir/zoo.cfg" <<CONF
tickTime=1000
initLimit=10
syncLimit=5
dataDir=$dir/zookeeper
clientPort=$zk
clientPortAddress=127.0.0.1
admin.enableServer=false
minSessionTimeout=2000
maxClientCnxns=0
CONF
  launch zookeeper "$zk" java -Xmx128m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$root/.deps/zookeeper/*" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg"

  cat > "$dir/kafka.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$kafka,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
CONF
  if [ ! -f "$dir/kafka/meta.properties" ]; then
    java -cp "$root/.deps/kafka/*" kafka.tools.StorageTool format -t canvas-stack-000000000 -c "$dir/kafka.properties" >"$dir/format.log" 2>&1 ||
      { say "Kafka's storage can't be formatted:"; tail -n 5 "$dir/format.log"; exit 1; }
  fi
  launch kafka "$kafka" java -Xmx512m -cp "$root/.deps/kafka/*" kafka.Kafka "$dir/kafka.properties"
}

stop() {
  local name
  for name in kafka zookeeper mosquitto; do
    alive "$name" && { kill "$(cat "$dir/$name.pid")"; say "$name stops"; }
    for _ in $(seq 100); do alive "$name" || break; sleep 0.1; done
    alive "$name" && kill -9 "$(cat "$dir/$name.pid")"
    rm -f "$dir/$name.pid"
  done
}

status() {
  local name
  for name in mosquitto zookeeper kafka; do alive "$name" && say "$name runs" || say "$name is down"; done
}

case "${1:-}" in
  start|stop|status) "$1" ;;
  *) echo "usage: stack.sh start|stop|status" >&2; exit 2 ;;
esac
