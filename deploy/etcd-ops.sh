#!/bin/sh
exec node /app/packages/cli/src/main.ts "$@"
