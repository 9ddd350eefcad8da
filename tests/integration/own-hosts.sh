#!/bin/sh
# Runs the gateway, and where OB_TEST_HOSTS names a file, with that file as
# /etc/hosts in a mount namespace of its own. The process keeps its id.
if [ -z "$OB_TEST_HOSTS" ]; then
    exec "$OB_TEST_BINARY" "$@"
fi
exec unshare -m sh -c '
    mount --bind "$OB_TEST_HOSTS" /etc/hosts || exit 1
    exec "$OB_TEST_BINARY" "$@"' sh "$@"
