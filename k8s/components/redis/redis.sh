#!/bin/sh
# Writes this server's configuration and becomes redis-server.
#
# With SENTINEL_HOST (components/redis-sentinel) it first finds out whose replica it is: the
# Sentinels' word counts; where none answers, what it was when it last ran; at its very first
# start the first server is master. So an old master that comes back never takes the place again.
set -eu
umask 077
conf=${REDIS_DIR:=/data}/redis.conf

sentinels() { timeout 5 redis-cli -h "$SENTINEL_HOST" -p 26379 --raw sentinel "$@" 2>/dev/null; }

# Their word is yesterday's while they are promoting another: seen here, it made two masters.
promoting() { sentinels master xiaoer | grep -A 1 '^flags$' | tail -n 1 | grep -q 'down\|failover'; }

role=$(grep -s '^replicaof ' "$conf" || true)
if [ -n "${SENTINEL_HOST:-}" ]; then
    me=$HOSTNAME.$REDIS_DOMAIN
    waited_s=0
    while [ -e "$conf" ] && [ $waited_s -lt 20 ] && promoting; do
        sleep 1
        waited_s=$((waited_s + 1))
    done
    master=$(sentinels get-master-addr-by-name xiaoer | head -n 1 || true)
    if [ -z "$master" ] && [ ! -e "$conf" ]; then
        master=redis-0.$REDIS_DOMAIN
    fi
    if [ "$master" = "$me" ]; then
        role=
    elif [ -n "$master" ]; then
        role="replicaof $master 6379"
    fi
fi
cat >"$conf.new" <<END
dir $REDIS_DIR
port 6379
requirepass $REDIS_PASSWORD
masterauth $REDIS_PASSWORD
# What was acknowledged survives a kill; the log reaches the disk within a second.
appendonly yes
appendfsync everysec
save ""
maxmemory ${REDIS_MAXMEMORY:-768mb}
# Conversations and tickets are no cache: refuse what does not fit, forget nothing.
maxmemory-policy noeviction
${me:+replica-announce-ip $me}
$role
END
mv "$conf.new" "$conf"
# The image's entry point adds its modules, the query engine among them.
exec ${REDIS_ENTRYPOINT-docker-entrypoint.sh} redis-server "$conf"
