umask 022
changed=0
say() { echo "pool: $*"; changed=1; }

[ "$(id -u)" = 0 ] || { echo "pool: run this as root" >&2; exit 1; }

# Unix: on the machine that submits, and with the same numbers on every node (or in the directory service of all).
getent group "$GROUP" >/dev/null || { groupadd --system "$GROUP"; say "group $GROUP made"; }
[ -d "$DIR" ] || { mkdir -p "$DIR"; chmod 711 "$DIR"; say "$DIR made"; }
for user in $MEMBERS; do
    # No home that a job could write to: keys or profiles left there would be the door for the next.
    getent passwd "$user" >/dev/null || {
        useradd --system --user-group --groups "$GROUP" --home-dir /nonexistent --no-create-home --shell /bin/sh \
            --comment "VirtEngine customer" "$user"
        say "user $user made"
    }
    id -nG "$user" | tr ' ' '\n' | grep -qx "$GROUP" || { usermod -aG "$GROUP" "$user"; say "user $user put into group $GROUP"; }
    [ -d "$DIR/$user" ] || { mkdir -m 700 "$DIR/$user"; say "$DIR/$user made"; }
    [ "$(stat -c %U:%a "$DIR/$user")" = "$user:700" ] || {
        chown "$user": "$DIR/$user"
        chmod 700 "$DIR/$user"
        say "$DIR/$user given to $user alone"
    }
done

# The one line: the worker may act as a member of the pool, and as nobody else. root needs none.
if [ "$WORKER" != root ]; then
    getent passwd "$WORKER" >/dev/null || {
        echo "pool: there is no user $WORKER; make it, or name the worker's with --worker-user" >&2
        exit 1
    }
    line="Defaults:$WORKER !use_pty, !requiretty
$WORKER ALL=(%$GROUP) NOPASSWD: SETENV: ALL"
    file=/etc/sudoers.d/virtengine-$GROUP
    if [ "$(cat "$file" 2>/dev/null)" != "$line" ]; then
        mkdir -p -m 750 /etc/sudoers.d
        (umask 337; printf '%s\n' "$line" >"$file.new")
        if command -v visudo >/dev/null; then visudo -cqf "$file.new"; fi
        mv -f "$file.new" "$file"
        say "$file written"
    fi
fi

# Accounting: one account for each member below the pool's own, so that none can spend another's share.
if command -v sacctmgr >/dev/null; then
    cluster=$(scontrol show config | sed -n 's/^ClusterName *= *//p')
    accounts=$(sacctmgr -nP show assoc cluster="$cluster" format=account,user,grpsubmit,qos)
    has() { printf '%s\n' "$accounts" | grep -q -- "$1"; }
    if [ -n "$QOS" ]; then
        sacctmgr -nP show qos format=name | grep -qx "$QOS" || { sacctmgr -iQ add qos "$QOS" >/dev/null; say "QoS $QOS made"; }
    fi
    has "^$ACCOUNT||" || {
        sacctmgr -iQ add account "$ACCOUNT" cluster="$cluster" description=virtengine organization=virtengine >/dev/null
        say "account $ACCOUNT made"
    }
    if [ -n "$QOS" ]; then
        printf '%s\n' "$accounts" | grep "^$ACCOUNT||" | cut -d'|' -f4 | tr ',' '\n' | grep -qx "$QOS" || {
            sacctmgr -iQ modify account "$ACCOUNT" where cluster="$cluster" set qos+="$QOS" >/dev/null
            say "account $ACCOUNT may use QoS $QOS"
        }
    fi
    for user in $MEMBERS; do
        has "^$user||" || {
            sacctmgr -iQ add account "$user" cluster="$cluster" parent="$ACCOUNT" description=virtengine organization=virtengine >/dev/null
            say "account $user made"
        }
        has "^$user||$JOBS|" || {
            sacctmgr -iQ modify account "$user" where cluster="$cluster" set GrpSubmitJobs="$JOBS" >/dev/null
            say "account $user may have $JOBS jobs"
        }
        has "^$user|$user|" || {
            sacctmgr -iQ add user "$user" cluster="$cluster" account="$user" defaultaccount="$user" >/dev/null
            say "user $user bound to account $user"
        }
    done
    # Warnings: without these nothing above keeps customers apart.
    scontrol show config | grep '^AccountingStorageEnforce' | grep -q limits ||
        echo "pool: WARNING slurm.conf has no AccountingStorageEnforce=associations,limits,qos,safe: limits do not hold" >&2
    scontrol show config | grep '^PrivateData' | grep -q jobs ||
        echo "pool: WARNING slurm.conf has no PrivateData=jobs,usage,users: customers see each other's job names" >&2
    scontrol show partition | grep -q 'AllocNodes=ALL' &&
        echo "pool: note: partitions take jobs from every node; AllocNodes=$(hostname -s) keeps jobs from submitting others that nobody pays" >&2
else
    echo "pool: no sacctmgr here: users and directories only" >&2
fi

[ "$changed" = 1 ] || echo "pool: nothing to do, $COUNT members"
