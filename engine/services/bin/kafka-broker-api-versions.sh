#!/usr/bin/env bash
# kafka-broker-api-versions.sh of a Kafka distribution, from the jars that `make servers` installs.
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "${SERVICES_KAFKA_LIBS:?set by make}/*" org.apache.kafka.tools.BrokerApiVersionsCommand "$@"
