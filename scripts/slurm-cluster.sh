#!/usr/bin/env bash
# A real SLURM cluster on 127.0.0.1 out of Debian's packages (22.05 on Debian 12, 24.11 on Debian 13), for tests and
# demonstrations: accounting, limits, private data, several users, REST with JWT. No systemd, no cgroups, no containers.
#
#   slurm-cluster.sh up            install what is missing, start what is not running, wait until it is ready
#   slurm-cluster.sh down          stop all of its daemons, keep its state
#   slurm-cluster.sh wipe          down, and delete its state
#   slurm-cluster.sh start NAME    start one daemon and wait for it: munged mariadbd slurmdbd slurmctld slurmd-n1… slurmrestd
#   slurm-cluster.sh stop NAME     stop one daemon; `kill NAME` gives it no chance to tidy up
#   slurm-cluster.sh env           lines to eval: SLURM_CONF, and VE_SLURM_… for the tests
#   slurm-cluster.sh token USER [SECONDS]   a JWT of a user
#   slurm-cluster.sh status        its daemons and nodes
#
# As root: daemons run as their own users, jobs as the pool's (ve-job-1 …), as on a provider's cluster. As another user:
# everything runs as that user, who is then the only one. Several clusters run side by side with their own HOME and PORT.
#
# Settings (environment; they count when the state directory is made):
#   VE_SLURM_HOME          state directory                                            [$TMPDIR/virtengine-slurm]
#   VE_SLURM_PORT          base port: slurmctld +0, slurmdbd +1, REST +2, MariaDB +3, slurmd +11 and up  [17000]
#   VE_SLURM_CLUSTER       its name in accounting                                     [vetest]
#   VE_SLURM_NODES         how many nodes, each a real slurmd                         [2]
#   VE_SLURM_CPUS          processors that a node says it has                         [8]
#   VE_SLURM_MEM           memory that a node says it has, in MiB                     [8000]
#   VE_SLURM_GPUS          accelerators that a node says it has (counted only)        [2]
#   VE_SLURM_POOL          how many users ve-job-N, each with an account of its name  [4]
#   VE_SLURM_USERS         further users, each with an account of its name            []
#   VE_SLURM_CLOUD         further nodes that are started when a job needs them, c1 and up, in a partition `cloud`  [0]
#   VE_SLURM_CLOUD_PORT    ports of theirs begin here                                 [10000]
#   VE_SLURM_MIN_JOB_AGE   seconds for which slurmctld remembers ended jobs           [300]
#   VE_SLURM_NODE_TIMEOUT  seconds after which a silent node is down                  [60]
#   VE_SLURM_WITH          a process: the cluster is wiped when that is gone          []
set -Eeuo pipefail
trap 'echo "[slurm-cluster] error: line $LINENO: $BASH_COMMAND: failed; see ${log:-}" >&2' ERR
. "$(dirname "${BASH_SOURCE[0]}")/lib/slurm.sh"
home=${VE_SLURM_HOME:-${TMPDIR:-/var/tmp}/virtengine-slurm}
etc=$home/etc run=$home/run log=$home/log
settings=$etc/settings
if [ -s "$settings" ]; then
  . "$settings"
else
  port=${VE_SLURM_PORT:-17000} cluster=${VE_SLURM_CLUSTER:-vetest} nodes=${VE_SLURM_NODES:-2}
  cpus=${VE_SLURM_CPUS:-8} memory=${VE_SLURM_MEM:-8000} gpus=${VE_SLURM_GPUS:-2} pool=${VE_SLURM_POOL:-4}
  cloud=${VE_SLURM_CLOUD:-0} cloud_port=${VE_SLURM_CLOUD_PORT:-10000}
  others=${VE_SLURM_USERS:-} min_job_age=${VE_SLURM_MIN_JOB_AGE:-300} node_timeout=${VE_SLURM_NODE_TIMEOUT:-60}
fi
me=$(id -un)
if [ "$me" = root ]; then
  slurm_user=slurm munge_user=munge db_user=mysql rest_user=ve-slurmrest
  mapfile -t users < <(seq -f 've-job-%g' 1 "$pool"; for u in $others; do echo "$u"; done)
else
  slurm_user=$me munge_user=$me db_user=$me rest_user=$me users=("$me")
fi
export SLURM_CONF=$etc/slurm.conf PATH=$PATH:/usr/sbin:/sbin

say() { printf '[slurm-cluster] %s\n' "$*" >&2; }
# as USER COMMAND...: only root can be somebody else.
as() {
  local user=$1
  shift
  if [ "$user" = "$me" ]; then "$@"; else setpriv --reuid="$user" --regid="$user" --init-groups "$@"; fi
}
pid_of() { cat "$run/$1.pid" 2>/dev/null; }
# A zombie has ended, whenever its parent takes notice.
gone() { ! grep -qs '^State:.[^Z]' "/proc/$1/status"; }
# By its name as well: a pid may belong to somebody else by now.
alive() {
  local pid
  pid=$(pid_of "$1") && [ -n "$pid" ] && ! gone "$pid" && [[ "$(cat "/proc/$pid/comm" 2>/dev/null)" == "${1%%-*}"* ]]
}
# wait_for SECONDS WHAT COMMAND...
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then
      say "error: gave up waiting for $what; see $log"
      return 1
    fi
    sleep 0.1
  done
}
# detached COMMAND...: survives the shell that started it, and holds none of its descriptors.
detached() { setsid "$@" </dev/null >>"$log/start.log" 2>&1; }

# Users are the machine's and shared by its clusters: the last cluster to go takes away those that were made for any.
register=/run/virtengine-slurm
member=$register/clusters/${home//\//-}
# alone COMMAND...: one at a time on this machine.
alone() { (flock 9 && "$@") 9</run; }
make_users() { [ "$me" != root ] || alone make_users_alone; }
make_users_alone() {
  mkdir -p $register/clusters
  : >"$member"
  local u
  for u in "${users[@]}"; do
    getent passwd "$u" >/dev/null || { useradd --create-home --shell /bin/bash "$u" 9<&- && echo "$u" >>$register/made; }
  done
  getent passwd $rest_user >/dev/null || {
    useradd --system --shell /usr/sbin/nologin $rest_user 9<&- && echo $rest_user >>$register/made
  }
}
remove_users() { [ ! -e "$member" ] || alone remove_users_alone; }
remove_users_alone() {
  rm -f "$member"
  rmdir $register/clusters 2>/dev/null || return 0
  local u
  [ ! -e $register/made ] || while read -r u; do userdel --force --remove "$u" >/dev/null 2>&1 9<&- || true; done <$register/made
  rm -rf $register
}

secret() { # secret FILE BYTES OWNER
  [ -s "$1" ] || (umask 077 && head -c "$2" /dev/urandom >"$1")
  [ "$me" != root ] || chown "$3:" "$1"
}

# Written once, so that what runs and what is written never differ.
configure() {
  [ ! -s "$settings" ] || return 0
  umask 022
  mkdir -p "$etc" "$run" "$log" "$home"/{state,spool,db,tmp,munge}
  chmod 755 "$home" "$home/munge"
  chmod 1777 "$run"
  if [ "$me" = root ]; then
    chown $slurm_user: "$home/state" "$log"
    chown $munge_user: "$home/munge"
    chown $db_user: "$home/db" "$home/tmp"
  fi
  secret "$etc/jwt_hs256.key" 32 $slurm_user
  secret "$home/munge/munge.key" 128 $munge_user
  local host i verb
  host=$(hostname -s)
  {
    cat <<C
ClusterName=$cluster
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$slurm_user
SlurmdUser=$me
AuthType=auth/munge
# A requeued job waits until what its first attempt was allowed to start with has expired: two minutes if this is not said.
AuthInfo=socket=$home/munge/munge.sock,cred_expire=30
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$etc/jwt_hs256.key
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$run/slurmctld.pid
SlurmdPidFile=$run/slurmd-%n.pid
SlurmctldLogFile=$log/slurmctld.log
SlurmdLogFile=$log/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
# Without cgroups and systemd. What a job leaves behind is ended by the epilog.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
Epilog=$etc/epilog.sh
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
EnforcePartLimits=ALL
# Scheduling.
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=1,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PriorityType=priority/multifactor
PreemptType=preempt/qos
PreemptMode=REQUEUE
DefMemPerCPU=100
MaxJobCount=50000
MaxArraySize=10001
MinJobAge=$min_job_age
InactiveLimit=0
KillWait=2
Waittime=0
SlurmctldTimeout=60
SlurmdTimeout=$node_timeout
# Accounting. With auth/munge the "password" is the socket that clients use towards slurmdbd.
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 1))
AccountingStoragePass=$home/munge/munge.sock
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment,job_script
PrivateData=jobs,usage,users,cloud
GresTypes=gpu
C
    for i in $(seq 1 "$nodes"); do
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 10 + i)) CPUs=$cpus RealMemory=$memory Gres=gpu:$gpus State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
    echo "PartitionName=short Nodes=n[1-$nodes] MaxTime=10 State=UP"
    if [ "$cloud" != 0 ]; then
      cat <<C
NodeName=c[1-$cloud] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((cloud_port + 1))-$((cloud_port + cloud))] CPUs=$cpus RealMemory=$memory State=CLOUD
PartitionName=cloud Nodes=c[1-$cloud] MaxTime=INFINITE State=UP
ResumeProgram=$etc/resume.sh
SuspendProgram=$etc/suspend.sh
ResumeTimeout=120
SuspendTimeout=30
SuspendTime=30
SuspendExcParts=main,short
C
    fi
  } >"$SLURM_CONF"
  # Any file stands for a device as long as no cgroup guards it.
  for i in $(seq 1 "$gpus"); do : >"$etc/gpu$i"; done
  [ "$gpus" = 0 ] || echo "Name=gpu File=$etc/gpu[1-$gpus]" >"$etc/gres.conf"
  # 24.11 otherwise insists on a cgroup file system.
  [ -e "$(plugins)/openapi_v0_0_38.so" ] || echo CgroupPlugin=disabled >"$etc/cgroup.conf"
  cat >"$etc/epilog.sh" <<C
#!/bin/bash
# What detached itself from the job still has the job's variables. Twice: something may have forked meanwhile.
for _ in 1 2; do
  for environ in \$(grep -lsz "^SLURM_JOB_ID=\$SLURM_JOB_ID\\$" /proc/[0-9]*/environ); do
    # Another cluster on this machine has a job of this number too.
    grep -qsz '^SLURM_CONF=$SLURM_CONF\$' "\$environ" || continue
    # What ends the same job on another node is no part of it, and all nodes are this machine. A job's user owns none.
    if [ -O "\$environ" ] && grep -qsz '^SLURM_SCRIPT_CONTEXT=' "\$environ"; then continue; fi
    pid=\${environ#/proc/}
    pid=\${pid%/environ}
    case \$(cat "/proc/\$pid/comm" 2>/dev/null) in slurm*) continue ;; esac
    [ "\$pid" = \$\$ ] || [ "\$pid" = \$PPID ] || kill -KILL "\$pid" 2>/dev/null
  done
done
exit 0
C
  chmod 755 "$etc/epilog.sh"
  # slurmctld is nobody who may start a slurmd: it asks the starter to.
  for verb in resume suspend; do
    printf '#!/bin/sh\necho "%s $1" >%s\n' "$verb" "$run/starter.fifo" >"$etc/$verb.sh"
    chmod 755 "$etc/$verb.sh"
  done
  cat >"$etc/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$home/munge/munge.sock
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$etc/jwt_hs256.key
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((port + 1))
SlurmUser=$slurm_user
PidFile=$run/slurmdbd.pid
LogFile=$log/slurmdbd.log
DebugLevel=info
PrivateData=jobs,usage,users
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 3))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
C
  chmod 600 "$etc/slurmdbd.conf"
  [ "$me" != root ] || chown $slurm_user: "$etc/slurmdbd.conf"
  {
    declare -p port cluster nodes cpus memory gpus pool cloud cloud_port others min_job_age node_timeout
  } >"$settings"
}

plugins() { ls -d /usr/lib/*/slurm-wlm /usr/lib64/slurm 2>/dev/null | head -n 1; }

start_munged() {
  rm -f "$home"/munge/munge.sock*
  as $munge_user munged --key-file="$home/munge/munge.key" --socket="$home/munge/munge.sock" --num-threads=4 --force \
    --pid-file="$run/munged.pid" --log-file="$home/munge/munged.log" --seed-file="$home/munge/munged.seed" >>"$log/start.log" 2>&1
  wait_for 20 munged munge --socket="$home/munge/munge.sock" --no-input
}

sql() { mariadb --no-defaults --user="$me" --socket="$run/mariadb.sock" "$@"; }
start_mariadbd() {
  # Of its own: when it starts it deletes all temporary tables that it finds there, those of others as well.
  local -x TMPDIR=$home/tmp
  if [ ! -d "$home/db/mysql" ]; then
    mariadb-install-db --no-defaults --user=$db_user --datadir="$home/db" --auth-root-authentication-method=socket \
      --auth-root-socket-user="$me" --skip-test-db >"$log/mariadb-install.log" 2>&1
  fi
  detached mariadbd --no-defaults --user=$db_user --datadir="$home/db" --socket="$run/mariadb.sock" \
    --pid-file="$run/mariadbd.pid" --bind-address=127.0.0.1 --port=$((port + 3)) --skip-name-resolve \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=64M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=2 --performance-schema=OFF >/dev/null 2>&1 &
  wait_for 90 mariadbd sql -e 'select 1'
  sql -e "create database if not exists slurm_acct_db; create user if not exists slurm@'127.0.0.1' identified by 'slurm';
    grant all on slurm_acct_db.* to slurm@'127.0.0.1';"
}

start_slurmdbd() {
  detached slurmdbd
  wait_for 90 slurmdbd sacctmgr -n -P list cluster
}

# Accounts, users and quality of service, once: one account for each user, beneath `ve`.
start_accounts() {
  [ ! -e "$home/state/accounts" ] || return 0
  local u
  sacctmgr -i -Q add cluster "$cluster" >/dev/null
  sacctmgr -i -Q add qos urgent Preempt=normal Priority=1000 >/dev/null
  sacctmgr -i -Q add account ve Description=virtengine Organization=virtengine >/dev/null
  for u in "${users[@]}"; do
    sacctmgr -i -Q add account "$u" parent=ve Description="$u" Organization=virtengine >/dev/null
    sacctmgr -i -Q add user "$u" account="$u" DefaultAccount="$u" qos=normal,urgent DefaultQOS=normal >/dev/null
  done
  : >"$home/state/accounts"
}

start_slurmctld() {
  start_accounts
  detached slurmctld
  wait_for 60 slurmctld scontrol ping
}

start_slurmd() { # start_slurmd slurmd-n1 [OPTION]
  local node=${1#slurmd-}
  mkdir -p "$home/spool/$node"
  detached slurmd -N "$node" "${@:2}"
}
nodes_ready() { [ "$(sinfo -h -N -o %N -p main -t idle,mix,alloc | sort -u | wc -l)" -ge "$nodes" ]; }
node_ready() { sinfo -h -n "$1" -o %T | grep -qE '^(idle|mixed|allocated|completing)$'; }

# Starts and stops nodes of the partition `cloud` as slurmctld wants them: lines of `resume NODES` or `suspend NODES`.
start_bash-starter() {
  rm -f "$run/starter.fifo"
  mkfifo -m 600 "$run/starter.fifo"
  [ "$me" != root ] || chown $slurm_user: "$run/starter.fifo"
  setsid "$(realpath "${BASH_SOURCE[0]}")" starter </dev/null >>"$log/starter.log" 2>&1 &
  echo $! >"$run/bash-starter.pid"
}
starter() {
  local verb names node
  # slurmctld waits for nodes that have booted: -b says that they have. Open for both, so that it does not end with its last writer.
  while read -r verb names <&3; do
    for node in $(scontrol show hostnames "$names"); do
      case $verb in
        resume) start_slurmd "slurmd-$node" -b || say "node $node was not started" ;;
        suspend) stop "slurmd-$node" ;;
      esac
    done
  done 3<>"$run/starter.fifo"
}

start_slurmrestd() {
  local specs
  if [ -e "$(plugins)/openapi_v0_0_38.so" ]; then # 22.05: plugins are named by API version
    specs=openapi/v0.0.38,openapi/dbv0.0.38,openapi/v0.0.37,openapi/dbv0.0.37
  else # 24.11: one plugin each, versions are data parsers
    specs=openapi/slurmctld,openapi/slurmdbd
  fi
  local be=()
  [ "$me" != root ] || be=(setpriv --reuid=$rest_user --regid=$rest_user --clear-groups --inh-caps=-all)
  SLURM_JWT=daemon SLURMRESTD_SECURITY=disable_unshare_sysv,disable_unshare_files \
    setsid "${be[@]}" slurmrestd -a rest_auth/jwt -s $specs "127.0.0.1:$((port + 2))" </dev/null >>"$log/slurmrestd.log" 2>&1 &
  echo $! >"$run/slurmrestd.pid"
  wait_for 30 slurmrestd bash -c "exec 3<>/dev/tcp/127.0.0.1/$((port + 2))"
}

start() {
  ! alive "$1" || return 0
  case $1 in
    munged | mariadbd | slurmdbd | slurmctld | slurmrestd | bash-starter) "start_$1" ;;
    slurmd-*)
      start_slurmd "$1"
      wait_for 90 "node ${1#slurmd-}" node_ready "${1#slurmd-}"
      ;;
    *) say "error: there is no daemon $1" && return 2 ;;
  esac
}

# stop NAME [SIGNAL]
stop() {
  local pid
  if alive "$1"; then
    pid=$(pid_of "$1")
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    wait_for 20 "the end of $1" gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$run/$1.pid"
}

daemons() {
  printf '%s\n' munged mariadbd slurmdbd
  [ "$cloud" = 0 ] || echo bash-starter
  echo slurmctld
  seq -f 'slurmd-n%g' 1 "$nodes"
  echo slurmrestd
}
all_alive() {
  local d
  [ -s "$settings" ] || return 1
  for d in $(daemons); do alive "$d" || return 1; done
}

# Whatever becomes of a test, killed ones included, its cluster goes with it.
guard() {
  [ -n "${VE_SLURM_WITH:-}" ] || return 0
  VE_SLURM_HOME=$home setsid bash -c 'tail --pid="$1" -f /dev/null; exec "$0" wipe' \
    "$(realpath "${BASH_SOURCE[0]}")" "$VE_SLURM_WITH" </dev/null >/dev/null 2>&1 &
}
up() {
  ! all_alive || return 0
  slurm_install
  guard
  make_users
  configure
  local d
  for d in $(daemons | grep -v slurmd- | grep -v slurmrestd); do start "$d"; done
  for d in $(seq -f 'slurmd-n%g' 1 "$nodes"); do alive "$d" || start_slurmd "$d"; done
  start slurmrestd
  wait_for 90 "every node" nodes_ready
  say "cluster $cluster is up: $(sinfo -h -o '%P %D nodes %T' | tr '\n' ' ')"
}
down() {
  [ -d "$run" ] || return 0
  local d
  for d in $(daemons | tac); do stop "$d" "${1:-TERM}"; done
  for d in "$run"/slurmd-c*.pid; do
    [ ! -e "$d" ] || stop "$(basename "$d" .pid)" "${1:-TERM}"
  done
}
# What jobs leave behind when their daemons are stopped under them.
end_jobs() {
  local environ comm
  for environ in $(grep -lsz "^SLURM_CONF=$SLURM_CONF\$" /proc/[0-9]*/environ || true); do
    comm=$(cat "${environ%environ}comm" 2>/dev/null) || continue
    if [ "$comm" = slurmstepd ] || grep -qsz '^SLURM_JOB_ID=' "$environ"; then
      environ=${environ#/proc/}
      kill -KILL "${environ%/environ}" 2>/dev/null || true
    fi
  done
}
token() { scontrol token username="$1" lifespan="${2:-3600}" | sed -n 's/^SLURM_JWT=//p'; }

case ${1:-} in
  up) up ;;
  down) down ;;
  wipe)
    # Nobody will miss what it would write down.
    down KILL
    end_jobs
    rm -rf "$home"
    remove_users
    ;;
  start) start "$2" ;;
  stop) stop "$2" ;;
  kill) stop "$2" KILL ;;
  env)
    echo "export SLURM_CONF=$SLURM_CONF VE_SLURM_CONF=$SLURM_CONF VE_SLURM_CLUSTER=$cluster VE_SLURM_PARTITION=main"
    echo "export VE_SLURM_REST=http://127.0.0.1:$((port + 2)) VE_SLURM_JWT_KEY=$etc/jwt_hs256.key VE_SLURM_USER=${users[0]}"
    ;;
  starter) starter ;;
  token) token "$2" "${3:-}" ;;
  status)
    for d in $(daemons); do
      if alive "$d"; then printf '%-12s %s\n' "$d" "$(pid_of "$d")"; else printf '%-12s not running\n' "$d"; fi
    done
    sinfo -N -l
    ;;
  *)
    sed -n '2,/^set -/{/^set -/d;p}' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
