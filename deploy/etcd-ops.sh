#!/bin/sh
# The flags of bin/etcd-ops for what runs for months (docs/OPERATIONS.md, Memory).
exec node --single-threaded-gc --max-semi-space-size=2 --expose-gc /app/program/current/lib/main.js "$@"
