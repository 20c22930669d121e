#!/bin/bash
# Whether the service of this container is ready. Without node, which would cost more than an idle service each time that it starts.
exec 3<>"/dev/tcp/127.0.0.1/$ETCD_OPS_HTTP_PORT" || exit 1
printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
read -r -t 2 _ status _ <&3 && [ "$status" = 200 ]
