package integration

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/durable/disktest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// vault is a bridge whose object store lies on a disk of its own, and a device made by hand.
type vault struct {
	t      *testing.T
	disk   *disktest.Disk
	store  string
	config string
	edge   string
	epoch  event.Epoch
	ear    *ear
	sender *mqtt.Client
	kafka  *kafka.Client
	bridge *process
}

func newVault(t *testing.T) *vault {
	t.Helper()
	dir := t.TempDir()
	v := &vault{t: t, edge: fmt.Sprintf("mast-%d", time.Now().UnixNano()), epoch: event.NewEpoch()}
	v.disk = disktest.Ext4(t, filepath.Join(dir, "disk"))
	v.store = filepath.Join(dir, "disk", "objects")
	at, brokers := brokertest.StartMosquitto(t).URL, brokertest.StartOwnKafka(t).Brokers // its checkpoints are of one installation
	v.config = write(t, filepath.Join(dir, "cloud.yaml"), `
mqtt: {url: %q}
kafka: {brokers: [%s], partitions: 2}
zookeeper: {servers: [%s], session_timeout: 3s, root: /%s}
store: %q
bridge: {receipt_every: 50ms}
`, at, strings.Join(brokers, ","), strings.Join(brokertest.SharedZooKeeper(t), ","), v.edge, "file://"+v.store)
	v.ear = listen(t, at, event.ReceiptsTopic(v.edge))
	var err error
	if v.sender, err = mqtt.Dial(t.Context(), mqtt.Options{URL: at, ClientID: v.edge}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.sender.Close)
	if v.kafka, err = kafka.Dial(kafka.Options{Brokers: brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kafka.Close)
	v.start()
	status := fmt.Appendf(nil, `{"status": "online", "edge": %q, "epoch": %q}`, v.edge, v.epoch)
	v.publish(event.StatusTopic(v.edge), true, status)
	until(t, 2*time.Minute, "a bridge that listens", func() bool { return v.receipt().Epoch == v.epoch })
	return v
}

func (v *vault) start() {
	v.bridge = start(v.t, "canvas-cloud", "--config", v.config, "bridge", "--id", "bridge-1")
}

// item is one of so many random bytes.
func (v *vault) item(seq uint64, size int) event.Item {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return event.Item{ID: event.NewID(time.Now()), Edge: v.edge, Epoch: v.epoch, Seq: seq, Kind: event.Frame, Stream: "gate", Subject: "gate/1",
		Time: time.Now(), Priority: event.Normal, Type: "image/jpeg", SHA256: event.Sum(data), Data: data}
}

// send publishes a message until the bridge's MQTT broker has it.
func (v *vault) send(i event.Item) {
	v.t.Helper()
	message, err := i.MarshalMQTT()
	if err != nil {
		v.t.Fatal(err)
	}
	v.publish(event.Topic(v.edge, i.Priority, i.Kind), false, message)
}

// publish tries until the MQTT broker has it.
func (v *vault) publish(topic string, retained bool, message []byte) {
	v.t.Helper()
	until(v.t, 2*time.Minute, "a broker that takes a message", func() bool {
		ctx, cancel := context.WithTimeout(v.t.Context(), 20*time.Second)
		defer cancel()
		return v.sender.Publish(ctx, topic, 1, retained, message) == nil
	})
}

// receipt is the last one that came.
func (v *vault) receipt() (r event.Receipt) {
	if i, err := event.UnmarshalMQTT([]byte(v.ear.payload(event.ReceiptsTopic(v.edge)))); err == nil {
		r, _ = event.ParseReceipt(i)
	}
	return r
}

// held are the parts of an item that the last receipt names.
func (v *vault) held(seq uint64) (parts []uint32) {
	for _, p := range v.receipt().Parts {
		for _, r := range p.Have {
			for n := r.From; p.Seq == seq && n <= r.To; n++ {
				parts = append(parts, uint32(n))
			}
		}
	}
	return parts
}

// cut is a power cut of the machine that the store is on.
func (v *vault) cut() {
	v.disk.CutPower()
	v.bridge.cmd.Process.Kill()
	<-v.bridge.done
	v.disk.Replug()
}

// records are the device's items in Kafka, by number.
func (v *vault) records() map[uint64]event.Item {
	v.t.Helper()
	all := map[uint64]event.Item{}
	offsets, err := v.kafka.Offsets(v.t.Context(), event.EventsTopic)
	if err != nil {
		v.t.Fatal(err)
	}
	for p, o := range offsets {
		err := v.kafka.Scan(v.t.Context(), event.EventsTopic, p, o.First, o.End, func(r kafka.Record) error {
			if i, err := r.Item(); err == nil && i.Edge == v.edge {
				all[i.Seq] = i
			}
			return nil
		})
		if err != nil {
			v.t.Fatal(err)
		}
	}
	return all
}

// TestAPowerCutOfTheCloudTakesNothingThatWasReceipted sends items too large for a record, and the first
// parts of a larger one; as soon as their receipts are there, the power of the store's disk is cut.
func TestAPowerCutOfTheCloudTakesNothingThatWasReceipted(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	seq := uint64(0)
	for cut := range rounds(3, 20) {
		sent := map[uint64]event.Item{}
		for range 8 {
			seq++
			i := v.item(seq, 600<<10)
			sent[seq] = i
			v.send(i)
		}
		last := seq
		seq++
		const of, before = 16, 9
		large := v.item(seq, of*64<<10)
		for n := range uint32(before) {
			v.send(large.Cut(n, of))
		}
		until(t, 2*time.Minute, "receipts", func() bool { return v.receipt().Through >= last && len(v.held(seq)) > 0 })
		named := v.held(seq)
		v.cut()
		in := v.records()
		for n, want := range sent {
			got, err := os.ReadFile(filepath.Join(v.store, in[n].Attrs.DataRef))
			if err != nil || !bytes.Equal(got, want.Data) {
				t.Errorf("cut %d: of item %d, which was receipted, the store has %d bytes of %d: %v", cut+1, n, len(got), len(want.Data), err)
			}
		}
		for _, n := range named {
			found, _ := filepath.Glob(filepath.Join(v.store, "parts", "*", v.edge, string(v.epoch), fmt.Sprint(seq), "*", fmt.Sprint(of), fmt.Sprint(n)))
			if len(found) != 1 {
				t.Errorf("cut %d: part %d, which a receipt named, is not there", cut+1, n)
				continue
			}
			if got, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(got, large.Cut(n, of).Data) {
				t.Errorf("cut %d: part %d has %d bytes: %v", cut+1, n, len(got), err)
			}
		}
		v.start()
		for n := range uint32(of) {
			if !slices.Contains(named, n) {
				v.send(large.Cut(n, of))
			}
		}
		until(t, 2*time.Minute, "an item that is whole", func() bool { return v.receipt().Through >= seq })
		whole := v.records()[seq]
		if got, err := os.ReadFile(filepath.Join(v.store, whole.Attrs.DataRef)); err != nil || !bytes.Equal(got, large.Data) {
			t.Errorf("cut %d: the item in parts has %d bytes of %d: %v", cut+1, len(got), len(large.Data), err)
		}
	}
}
