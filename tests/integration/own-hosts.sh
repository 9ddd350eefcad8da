#!/bin/sh
# Runs the gateway, and where OB_TEST_HOSTS or OB_TEST_RESOLV names a file, with
# that file as /etc/hosts or /etc/resolv.conf in a mount namespace of its own.
# The process keeps its id.
if [ -z "$OB_TEST_HOSTS$OB_TEST_RESOLV" ]; then
    exec "$OB_TEST_BINARY" "$@"
fi
exec unshare -m sh -c '
    [ -z "$OB_TEST_HOSTS" ] ||
        mount --bind "$OB_TEST_HOSTS" /etc/hosts || exit 1
    [ -z "$OB_TEST_RESOLV" ] ||
        mount --bind "$OB_TEST_RESOLV" /etc/resolv.conf || exit 1
    exec "$OB_TEST_BINARY" "$@"' sh "$@"
