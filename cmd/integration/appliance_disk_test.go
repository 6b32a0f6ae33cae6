package integration

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/durable/disktest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// oneBox is an appliance whose folder lies on a disk of its own.
type oneBox struct {
	t       *testing.T
	data    string
	config  string
	metrics string // where it answers
	sensors string // its broker for sensors
	p       *process
}

func newOneBox(t *testing.T, at string) *oneBox {
	t.Helper()
	b := &oneBox{t: t, data: filepath.Join(at, "data"),
		metrics: fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t)), sensors: fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))}
	b.config = write(t, filepath.Join(filepath.Dir(at), "canvas.yaml"), `
data: %q
device: {edge: mast-7, local: {embedded: %q}, sensors: {enabled: true, readings: 100000}, uplink: {receipt_timeout: 1s}, outbox: {ballast_bytes: 0}}
cloud:
  console: {listen: '127.0.0.1:0'}
  worker: {models: [{want: segment, model: spectral_rgb}], preload: false}
  telemetry: {listen: %q}
`, b.data, b.sensors, b.metrics)
	return b
}

// run starts it and waits until it says that it is ready.
func (b *oneBox) run() {
	b.t.Helper()
	b.p = start(b.t, "canvas", "--config", b.config, "run")
	until(b.t, 2*time.Minute, "an appliance that is ready", func() bool {
		select {
		case err := <-b.p.done:
			b.p.done <- err
			b.t.Fatalf("the appliance ended: %v\n%s", err, b.p.log.tail(20))
		default:
		}
		_, ok := b.ask("/readyz")
		return ok
	})
}

// ask gives what it answers, and whether that is well.
func (b *oneBox) ask(path string) (text string, ok bool) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get("http://" + b.metrics + path)
	if err != nil {
		return err.Error(), false
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return string(body), r.StatusCode == http.StatusOK
}

// count is the value of a metric without labels.
func (b *oneBox) count(name string) int {
	text, _ := b.ask("/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int(f)
		}
	}
	return -1
}

// readings publishes numbered readings until told to stop.
func (b *oneBox) readings(ctx context.Context) {
	client, err := mqtt.Dial(b.t.Context(), mqtt.Options{URL: "tcp://" + b.sensors, ClientID: fmt.Sprint("boiler-", time.Now().UnixNano())})
	if err != nil {
		b.t.Error(err)
		return
	}
	defer client.Close()
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		client.Publish(ctx, "canvas/sensors/boiler/reading", 1, false, fmt.Appendf(nil, `{"n": %d}`, n))
		<-tick.C
	}
}

// balance stops it once nothing waits, and counts ids in its log: each number of each life of the buffer
// is there once, or in the ledger.
func (b *oneBox) balance() {
	b.t.Helper()
	committed, since := -1, time.Now()
	until(b.t, 2*time.Minute, "an empty buffer", func() bool {
		if now := b.count("canvas_edge_outbox_committed_items_total"); now != committed || b.count("canvas_edge_outbox_waiting_items") != 0 {
			committed, since = now, time.Now()
		}
		return time.Since(since) > 2500*time.Millisecond // drops are reported every two seconds
	})
	if err := b.p.cmd.Process.Signal(os.Interrupt); err != nil {
		b.t.Fatal(err)
	}
	if err := <-b.p.done; err != nil {
		b.t.Errorf("it does not end well: %v", err)
	}
	log, err := kafka.Embed(filepath.Join(b.data, "kafka"), kafka.EmbedOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	k, err := kafka.Dial(kafka.Options{Brokers: log.Brokers()})
	if err != nil {
		b.t.Fatal(err)
	}
	defer k.Close()
	times, dropped := map[event.Epoch]map[uint64]int{}, map[uint64]bool{}
	offsets, err := k.Offsets(b.t.Context(), event.EventsTopic)
	if err != nil {
		b.t.Fatal(err)
	}
	for p, o := range offsets {
		err := k.Scan(b.t.Context(), event.EventsTopic, p, o.First, o.End, func(r kafka.Record) error {
			i, err := r.Item()
			if err != nil || i.Seq == 0 {
				return err
			}
			if times[i.Epoch] == nil {
				times[i.Epoch] = map[uint64]int{}
			}
			times[i.Epoch][i.Seq]++
			if i.Kind == event.Ack {
				report, err := event.ParseDropReport(i)
				if err != nil {
					return err
				}
				for _, d := range report.Drops {
					dropped[d.Seq] = true
				}
			}
			return nil
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	all := 0
	for epoch, numbers := range times {
		for n, often := range numbers {
			if often > 1 {
				b.t.Errorf("epoch %s: number %d is there %d times", epoch, n, often)
			}
		}
		for n := uint64(1); n <= slices.Max(slices.Collect(maps.Keys(numbers))); n++ {
			if numbers[n] == 0 && !dropped[n] {
				b.t.Errorf("epoch %s: number %d is neither in the log nor in the ledger", epoch, n)
			}
		}
		all += len(numbers)
	}
	// A device whose copy was restored goes on in another epoch; what was committed is in one of them.
	if all+len(dropped) < committed {
		b.t.Errorf("%d items were committed, %d are in the log, %d in the ledger", committed, all, len(dropped))
	}
	b.t.Logf("%d committed, %d in the log, %d in the ledger", committed, all, len(dropped))
}

// TestAPowerCutOfAnApplianceLosesNothing cuts the power of the one disk that has buffer, log and objects.
func TestAPowerCutOfAnApplianceLosesNothing(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Ext4(t, at)
	b := newOneBox(t, at)
	for range rounds(2, 20) {
		b.run()
		ctx, stop := context.WithCancel(t.Context())
		go b.readings(ctx)
		before := b.count("canvas_edge_outbox_received_items_total")
		until(t, 2*time.Minute, "items that are received", func() bool { return b.count("canvas_edge_outbox_received_items_total") > before+50 })
		d.CutPower()
		stop()
		b.p.cmd.Process.Kill()
		<-b.p.done
		d.Replug()
	}
	b.run()
	b.balance()
}

// TestADiskThatTakesNoWritesUnderAnApplianceIsOneState fills the appliance's disk, and closes it to
// writers, while readings come in.
func TestADiskThatTakesNoWritesUnderAnApplianceIsOneState(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "disk")
	d := disktest.Tmpfs(t, at, "128m")
	b := newOneBox(t, at)
	b.run()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go b.readings(ctx)
	received := func() int { return b.count("canvas_edge_outbox_received_items_total") }
	until(t, 2*time.Minute, "items that are received", func() bool { return received() > 50 })
	d.Fill(64 << 10)
	until(t, 2*time.Minute, "an appliance that says its disk is full", func() bool {
		text, ok := b.ask("/readyz")
		return !ok && strings.Contains(text, "the disk is full")
	})
	if text, _ := b.ask("/metrics"); !strings.Contains(text, "canvas_cloud_disk_refuses_writes{folder=\""+b.data+"\"} 1") {
		t.Error("no metric says that the disk takes no writes")
	}
	then := received()
	d.Tidy()
	until(t, 2*time.Minute, "an appliance that is ready again", func() bool { _, ok := b.ask("/readyz"); return ok })
	until(t, 2*time.Minute, "items that are received again", func() bool { return received() > then+50 })
	stop()
	for _, line := range []string{"a disk takes no writes", "the disk takes writes again"} {
		if n := strings.Count(b.p.log.String(), line); n != 1 {
			t.Errorf("%d lines say %q", n, line)
		}
	}
	if n := strings.Count(b.p.log.String(), "persist batch"); n > 1 { // the state's own may name the write
		t.Errorf("%d lines are of writes of the log that failed", n)
	}
	b.balance()
}
