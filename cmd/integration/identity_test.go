package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	stick "cloudcanvas/shared/carry"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

// secure is a connection's protection as YAML reads it, which takes JSON too.
func secure(t testing.TB, s security.Security) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"ca": s.CA, "cert": s.Cert, "key": s.Key})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheShippedBrokerFilesCarryEverything runs bridge, device and import over mosquitto with the files
// that are shipped, and lets another device try to take the bridge's place meanwhile.
func TestTheShippedBrokerFilesCarryEverything(t *testing.T) {
	t.Parallel()
	for _, share := range []bool{false, true} {
		t.Run(fmt.Sprintf("share %v", share), func(t *testing.T) {
			t.Parallel()
			carryEverything(t, share)
		})
	}
}

func carryEverything(t *testing.T, share bool) {
	m := brokertest.StartShipped(t, filepath.Join(root(t), "firmware-configs", "mosquitto"))
	kafka := brokertest.StartOwnKafka(t).Brokers
	dir, name := t.TempDir(), "mast-7"
	cloudConfig := func(file, importer string) string {
		return write(t, filepath.Join(dir, file), `
mqtt: {url: %q, security: %s, import: %s}
kafka: {brokers: [%s], partitions: 2}
zookeeper: {servers: [%s], session_timeout: 3s, root: /canvas-%d}
store: %q
bridge: {receipt_every: 100ms, share: %v}
`, m.ServiceURL, secure(t, m.Service("canvas-bridge")), secure(t, m.Service(importer)), strings.Join(kafka, ","),
			strings.Join(brokertest.SharedZooKeeper(t), ","), time.Now().UnixNano(), "file://"+filepath.Join(dir, "objects"), share)
	}
	config := cloudConfig("cloud.yaml", "canvas-import")
	start(t, "canvas-cloud", "--config", config, "bridge", "--id", "bridge-1")

	thief := m.Device("thief")
	for _, id := range []string{"canvas-bridge", "canvas-bridge-3", "bridge-1-receipts"} {
		c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: m.DeviceURL, ClientID: id, Persistent: true, Security: thief})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	s := &site{t: t, dir: dir, name: name, data: filepath.Join(dir, "data"), local: brokertest.StartMosquitto(t), from: fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))}
	edgeConfig := write(t, filepath.Join(dir, "edge.yaml"), `
edge: %s
data: %q
cloud: {url: %q, security: %s}
local: {url: %q}
sensors: {enabled: true, readings: 100000}
uplink: {receipt_timeout: 1s}
telemetry: {listen: %q}
attempts: {notes: %q}
`, name, s.data, m.DeviceURL, secure(t, m.Device(name)), s.local.URL, s.from, filepath.Join(dir, "notes"))
	s.edge = start(t, "canvas-edge", "--config", edgeConfig, "run")
	s.awaitAnswer()
	load := s.readings(50, 2)
	until(t, 2*time.Minute, "receipts of the bridge", func() bool { return s.must().received > 50 })
	load.stop()
	until(t, 2*time.Minute, "an empty buffer", func() bool { return s.must().waiting == 0 })

	// What another life of the device left on a stick.
	carried := t.TempDir()
	f, err := stick.Create(carried, name, "00112233445566aa")
	if err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(300) {
		data := []byte(`{"sensor":"wind","values":{"value":1}}`)
		if seq == 7 {
			data = make([]byte, 400_000)
		}
		if err := f.Add(event.Item{ID: event.NewID(time.Now()), Edge: name, Epoch: "00112233445566aa", Seq: seq + 1, Kind: event.Reading, Stream: "wind", Subject: "wind",
			Time: time.Now().UTC(), Priority: event.Normal, Type: "application/json", SHA256: event.Sum(data), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out := must(t, "canvas-cloud", "--config", config, "import", carried); !strings.Contains(out, "300 items are in Kafka\n") {
			t.Error(out)
		}
	}
	denied := cloudConfig("denied.yaml", "canvas-console")
	if code, out := run(t, "canvas-cloud", "--config", denied, "import", "--wait", "2s", carried); code != 3 || !strings.Contains(out, "canvas-services.acl") {
		t.Errorf("an identity that may not publish: exit code %d\n%s", code, out)
	}
}
