package brokertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Kafka is a running Kafka broker (KRaft, one node) with three listeners.
type Kafka struct {
	Brokers     []string      // plain
	TLSBrokers  []string      // TLS, a client certificate is demanded
	SASLBrokers []string      // TLS and a user: KafkaUser, by SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN
	Certs       *Certificates // of the latter two
	process     process
}

// The user of SASLBrokers.
const (
	KafkaUser     = "canvas"
	KafkaPassword = "wide-canvas"
)

// StartKafka gives the Kafka broker that all tests of the process share; it is started when it is
// first asked for. Tests should use topics of their own.
func StartKafka(t testing.TB) *Kafka {
	t.Helper()
	java, lib, err := jars("kafka")
	if err != nil {
		t.Skip("no Kafka: ", err)
	}
	k, err := shared(java, lib)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// StartOwnKafka starts a Kafka broker for one test, which may kill it.
func StartOwnKafka(t testing.TB) *Kafka {
	t.Helper()
	java, lib, err := jars("kafka")
	if err != nil {
		t.Skip("no Kafka: ", err)
	}
	k, err := newKafka(java, lib, t.TempDir())
	if err == nil {
		err = k.process.start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.process.kill)
	return k
}

// Kill ends a broker of StartOwnKafka as SIGKILL does.
func (k *Kafka) Kill() { k.process.kill() }

// Restart starts it again, on the same ports with what was on disk.
func (k *Kafka) Restart(t testing.TB) {
	t.Helper()
	if err := k.process.start(); err != nil {
		t.Fatal(err)
	}
}

// once is the shared broker: a start takes seconds, so a process makes one.
var once struct {
	sync.Mutex
	kafka *Kafka
	err   error
}

func shared(java, lib string) (*Kafka, error) {
	once.Lock()
	defer once.Unlock()
	if once.kafka == nil && once.err == nil {
		// Not a test's folder: it outlives the test that asked first. The process removes it.
		dir, err := os.MkdirTemp("", "canvas-kafka-")
		if err != nil {
			return nil, err
		}
		if once.kafka, once.err = newKafka(java, lib, dir); once.err == nil {
			once.kafka.process.remove = dir
			once.err = once.kafka.process.start()
		}
		if once.err != nil {
			os.RemoveAll(dir)
		}
	}
	return once.kafka, once.err
}

func newKafka(java, lib, dir string) (*Kafka, error) {
	certs, err := MakeCertificates(dir)
	if err != nil {
		return nil, err
	}
	var ports [4]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	plain, tls, sasl, controller := ports[0], ports[1], ports[2], ports[3]
	listeners := fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,SSL://127.0.0.1:%d,SASL_SSL://127.0.0.1:%d", plain, tls, sasl)
	config := strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		fmt.Sprintf("controller.quorum.voters=1@127.0.0.1:%d", controller),
		fmt.Sprintf("listeners=%s,CONTROLLER://127.0.0.1:%d", listeners, controller),
		"advertised.listeners=" + listeners,
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
		"log.dirs=" + filepath.Join(dir, "log"),
		"num.partitions=2",
		"offsets.topic.num.partitions=4",
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"auto.create.topics.enable=false",
		"broker.session.timeout.ms=3000", // or a restart after SIGKILL waits 9 s
		"broker.heartbeat.interval.ms=500",
		"num.network.threads=2",
		"num.io.threads=4",
		"log.cleaner.dedupe.buffer.size=16777216",
		"ssl.keystore.type=PEM",
		"ssl.keystore.location=" + certs.ServerPair,
		"ssl.truststore.type=PEM",
		"ssl.truststore.location=" + certs.CA,
		"listener.name.ssl.ssl.client.auth=required",
		"sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
		"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		fmt.Sprintf("listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=%q;", KafkaUser, KafkaPassword),
	}, "\n") + "\n"
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := format(java, lib, dir, file); err != nil {
		return nil, err
	}
	return &Kafka{
		Brokers: []string{loopback(plain)}, TLSBrokers: []string{loopback(tls)}, SASLBrokers: []string{loopback(sasl)},
		Certs: certs,
		process: process{
			name: "Kafka", argv: append(runJava(java, lib), "kafka.Kafka", file), log: filepath.Join(dir, "kafka.log"),
			answers: func() bool { return listening(plain) && listening(tls) && listening(sasl) },
		},
	}, nil
}

// runJava is how Kafka's classes are run. They live short and on few cores: the quick compiler and the
// plain collector start fastest.
func runJava(java, lib string) []string {
	return []string{java, "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", filepath.Join(lib, "*")}
}

// formatted is what Kafka's own tool wrote into the first folder. None of it names a port or a path, so
// that later brokers of the process get a copy, which saves each a start of Java.
var formatted struct {
	sync.Mutex
	files map[string][]byte
}

// format makes dir/log ready for the broker of that configuration.
func format(java, lib, dir, config string) error {
	formatted.Lock()
	defer formatted.Unlock()
	log := filepath.Join(dir, "log")
	if formatted.files != nil {
		if err := os.MkdirAll(log, 0o700); err != nil {
			return err
		}
		for name, content := range formatted.files {
			if err := os.WriteFile(filepath.Join(log, name), content, 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	argv := append(runJava(java, lib), "kafka.tools.StorageTool", "format", "-t", "Y2FudmFzLWNhbnZhcy0wMQ", "-c", config)
	for _, mechanism := range []string{"SCRAM-SHA-512", "SCRAM-SHA-256"} {
		argv = append(argv, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, KafkaUser, KafkaPassword))
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting Kafka's folder: %w: %s", err, out)
	}
	entries, err := os.ReadDir(log)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(log, e.Name())); err != nil {
			return err
		}
	}
	formatted.files = files
	return nil
}
