// Package cloud puts the rooms of the cloud side together: each of its processes is one of them
// over the same Kafka, coordinator, object store and models.
package cloud

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/console"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/cloud/references"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
)

// Config is what the cloud's processes are told, the whole of cloud.yaml. docs/configuration.md
// explains each setting; firmware-configs/ has a sample.
type Config struct {
	MQTT        MQTT              `yaml:"mqtt" desc:"the MQTT broker that devices deliver to"`
	Signing     Signing           `yaml:"signing" desc:"what devices are told is signed: operations.md#signed-messages"`
	Kafka       Kafka             `yaml:"kafka" desc:"the Kafka cluster"`
	ZooKeeper   zk.Config         `yaml:"zookeeper" desc:"the ZooKeeper ensemble"`
	Store       string            `yaml:"store" desc:"URL of the object store for large data: file:///dir, s3://bucket?region=…, gs://bucket or azblob://container"`
	Models      Models            `yaml:"models" desc:"where models lie and what runs them: models.md"`
	Bridge      bridge.Config     `yaml:"bridge" desc:"what devices send over MQTT, on its way into Kafka; 0 stands for the default of a setting: bridge.md"`
	Assign      assign.Config     `yaml:"assign" desc:"how partitions are divided among processes: scale.md"`
	Worker      worker.Config     `yaml:"worker" desc:"what models do with the items: pipelines.md"`
	References  references.Config `yaml:"references" desc:"views of the ground for devices that have not seen it: screening.md#the-views-of-others"`
	Mosaic      mosaic.Config     `yaml:"mosaic" desc:"what becomes a product, and when: scenes.md"`
	Products    string            `yaml:"products" desc:"folder that products appear in"`
	DecodeBytes int64             `yaml:"decode_bytes" desc:"bytes of memory that all decoders of a process may take at one time, in a worker with the pictures that wait for a model; a tile of 952 x 952 pixels and six bands takes 55 MB, and what takes more by itself is refused: operations.md#memory" range:"1MiB.."`
	Console     console.Config    `yaml:"console" desc:"where people look: console.md"`
	Telemetry   telemetry.Config  `yaml:"telemetry" desc:"health, metrics and traces of a process"`
	Attempts    Attempts          `yaml:"attempts" desc:"when a record that kills the process is given up: delivery.md"`
}

// Attempts say where a process notes what it has in hand, and when a record that kills it is given up.
type Attempts struct {
	Folder            string `yaml:"folder" desc:"where workers, mosaics and consoles note what they work on, each in a folder of its own that the next one finds; on a disk that outlives the process"`
	crashguard.Config `yaml:",inline"`
}

// MQTT is the broker that devices deliver to.
type MQTT struct {
	URL      string            `yaml:"url" desc:"the broker's address: tcp://host:1883 or tls://host:8883; with the shipped files services are on port 8884: operations.md#who-may-say-what"`
	Security security.Security `yaml:"security" desc:"TLS and login of the services"`
	Import   security.Security `yaml:"import" desc:"TLS and login of canvas-cloud import, which may publish for devices" default:"as security"`
}

// Signing says by whom the cloud's messages to devices are signed.
type Signing struct {
	KeyFile string `yaml:"key_file" desc:"file of the ed25519 key that bridges sign with, which canvas-cloud keys new makes; others may not read it" default:"nothing is signed"`
}

// AsImporter is the protection of a connection that publishes for devices.
func (m MQTT) AsImporter() security.Security {
	if m.Import == (security.Security{}) {
		return m.Security
	}
	return m.Import
}

// Kafka is the cluster.
type Kafka struct {
	Brokers    []string          `yaml:"brokers" desc:"host:port of one or more brokers"`
	Partitions int               `yaml:"partitions" desc:"partitions of topics that are made"`
	Replicas   int               `yaml:"replicas" desc:"replicas of topics that are made; 0: the cluster's default"`
	Security   security.Security `yaml:"security" desc:"TLS and login"`
}

// Models says where networks come from and what runs them.
type Models struct {
	Folders []string     `yaml:"folders" desc:"folders of models, besides those that set-up filled"`
	Engine  string       `yaml:"engine" desc:"the engine that runs models, by its name; auto tries those that are there and takes the fastest"`
	Layout  infer.Layout `yaml:"layout" desc:"how models use the machine"`
	Cache   string       `yaml:"cache" desc:"folder that published versions are fetched into"`
}

// DefaultConfig is a cloud whose services all run on this machine.
func DefaultConfig() Config {
	return Config{
		MQTT: MQTT{URL: "tcp://127.0.0.1:1883"}, Kafka: Kafka{Brokers: []string{"127.0.0.1:9092"}, Partitions: 8},
		ZooKeeper: zk.DefaultConfig(), Store: "file:///var/lib/canvas/objects",
		Models: Models{Engine: infer.Auto, Layout: infer.Layout{Remember: infer.DefaultMemory()}, Cache: "/var/lib/canvas/model-cache"},
		Bridge: bridge.DefaultConfig(), Assign: assign.DefaultConfig(), Worker: worker.DefaultConfig(), Mosaic: mosaic.DefaultConfig(), References: references.DefaultConfig(),
		Products: "/var/lib/canvas/products", DecodeBytes: 1 << 30, Console: console.DefaultConfig(),
		Attempts: Attempts{Folder: "/var/lib/canvas/attempts", Config: crashguard.DefaultConfig()},
	}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	in := func(group string) func(field, message, hint string) {
		return func(field, message, hint string) { add(group+"."+field, message, hint) }
	}
	if !strings.Contains(c.MQTT.URL, "://") {
		add("mqtt.url", fmt.Sprintf("%q is no broker's address", c.MQTT.URL), "write tcp://host:1883 or tls://host:8883")
	}
	c.MQTT.Security.Problems(in("mqtt.security"))
	c.MQTT.Import.Problems(in("mqtt.import"))
	if len(c.Kafka.Brokers) == 0 {
		add("kafka.brokers", "is missing", "name one or more: kafka-1:9092")
	}
	for i, b := range c.Kafka.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			add(fmt.Sprintf("kafka.brokers.%d", i), fmt.Sprintf("%q is not host:port", b), "write it as kafka-1:9092")
		}
	}
	c.Kafka.Security.Problems(in("kafka.security"))
	c.ZooKeeper.Problems(in("zookeeper"))
	if !strings.Contains(c.Store, "://") {
		add("store", fmt.Sprintf("%q is no URL", c.Store), "write file:///dir, s3://bucket, gs://bucket or azblob://container")
	} else if u, err := url.Parse(c.Store); err == nil && u.Scheme == "file" {
		if problem := store.FolderProblem(u); problem != "" {
			add("store", fmt.Sprintf("%q: %s", c.Store, problem), "file:///var/lib/canvas/objects, with %23 for #, %3F for ? and %25 for % in names")
		}
	}
	if c.Models.Engine != infer.Auto && !slices.Contains(infer.Engines(), c.Models.Engine) {
		add("models.engine", fmt.Sprintf("%q is no engine", c.Models.Engine), "auto, or one of "+strings.Join(infer.Engines(), ", "))
	}
	config.Limits(c, DefaultConfig(), add)
	if c.Models.Cache == "" {
		add("models.cache", "is missing", "name the folder that published versions are fetched into")
	}
	c.Models.Layout.Problems(in("models.layout"))
	c.Bridge.Problems(in("bridge"))
	c.Assign.Problems(in("assign"))
	c.Worker.Problems(in("worker"))
	c.Mosaic.Problems(in("mosaic"))
	c.References.Problems(in("references"))
	if c.Products == "" {
		add("products", "is missing", "name the folder that products appear in")
	}
	c.Console.Problems(in("console"))
	c.Telemetry.Problems(in("telemetry"))
	if c.Attempts.Folder == "" {
		add("attempts.folder", "is missing", "name a folder that outlives the process: /var/lib/canvas/attempts")
	}
	c.Attempts.Problems(in("attempts"))
}

// ModelFolders are where models are looked for: as configured, and where set-up put them.
func (c Config) ModelFolders(home string) []string {
	return model.Folders(c.Models.Folders, home)
}
