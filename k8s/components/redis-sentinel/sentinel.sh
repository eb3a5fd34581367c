#!/bin/sh
# Writes a Sentinel's configuration, unless this pod has one already, and becomes the Sentinel.
#
# Whom to watch: the master the other Sentinels know; where none answers, the server that says it
# is master; at the very first start redis-0.
set -eu
umask 077
conf=${SENTINEL_DIR:=/data}/sentinel.conf
if [ ! -s "$conf" ]; then
    master=$(timeout 5 redis-cli -h "$SENTINEL_HOST" -p 26379 --raw \
        sentinel get-master-addr-by-name xiaoer 2>/dev/null | head -n 1 || true)
    for server in redis-0 redis-1; do
        [ -z "$master" ] || break
        if REDISCLI_AUTH=$REDIS_PASSWORD timeout 5 redis-cli -h "$server.$REDIS_DOMAIN" role \
            2>/dev/null | head -n 1 | grep -q master; then
            master=$server.$REDIS_DOMAIN
        fi
    done
    cat >"$conf.new" <<END
dir $SENTINEL_DIR
port 26379
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $HOSTNAME.$SENTINEL_DOMAIN
sentinel monitor xiaoer ${master:-redis-0.$REDIS_DOMAIN} 6379 2
sentinel auth-pass xiaoer $REDIS_PASSWORD
sentinel down-after-milliseconds xiaoer 3000
sentinel failover-timeout xiaoer 15000
sentinel parallel-syncs xiaoer 1
END
    mv "$conf.new" "$conf"
fi
exec redis-server "$conf" --sentinel
