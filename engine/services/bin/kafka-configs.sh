#!/usr/bin/env bash
# kafka-configs.sh of a Kafka distribution, from the jars that `make servers` installs.
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "${SERVICES_KAFKA_LIBS:?set by make}/*" kafka.admin.ConfigCommand "$@"
