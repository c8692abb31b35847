#!/usr/bin/env bash
# kafka-acls.sh of a Kafka distribution, from the jars that `make servers` installs.
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "${SERVICES_KAFKA_LIBS:?set by make}/*" org.apache.kafka.tools.AclCommand "$@"
