package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// folder is an object store in a folder.
type folder string

func (f folder) Put(_ context.Context, key string, data []byte) error {
	file := filepath.Join(string(f), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err := errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}

func (f folder) Get(_ context.Context, key string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(key)))
}

func (f folder) Delete(_ context.Context, key string) error {
	if err := os.Remove(filepath.Join(string(f), filepath.FromSlash(key))); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f folder) Keys(_ context.Context, prefix string) (keys []string, err error) {
	err = filepath.WalkDir(string(f), func(file string, d fs.DirEntry, err error) error {
		if key, _ := filepath.Rel(string(f), file); err == nil && !d.IsDir() && strings.HasPrefix(filepath.ToSlash(key), prefix) {
			keys = append(keys, filepath.ToSlash(key))
		}
		return err
	})
	return keys, err
}

// site is where the services are; zookeeper and id only for bridges that share.
type site struct {
	mqtt, kafka, store, zookeeper, id string
}

const childVariable = "CANVAS_TEST_BRIDGE"

// What a child is.
const (
	childBridge   = "bridge"
	childPlain    = "plain"
	childTelegraf = "telegraf" // a program of its own
)

// runAsChild makes this test binary a bridge, so that a test can kill it.
func runAsChild() bool {
	s := strings.Split(os.Getenv(childVariable), " ")
	if len(s) != 6 {
		return false
	}
	at := site{s[1], s[2], s[3], s[4], s[5]}
	if s[0] == childBridge {
		bridge.DefaultConfig().BoundMemory() // as canvas-cloud does
	}
	run := func() error {
		return runBridge(context.Background(), at, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if s[0] == childPlain {
		run = func() error { return runPlain(context.Background(), at) }
	}
	fmt.Fprintln(os.Stderr, run())
	return true
}

// runBridge runs a bridge over real services until ctx ends.
func runBridge(ctx context.Context, at site, log *slog.Logger) error {
	cfg := bridge.DefaultConfig()
	k, err := bridge.DialKafka(kafka.Options{Brokers: strings.Split(at.kafka, ","), Log: log})
	if err != nil {
		return err
	}
	defer k.Close()
	publisher, err := mqtt.Dial(ctx, mqtt.Options{URL: at.mqtt, Log: log})
	if err != nil {
		return err
	}
	defer publisher.Close()
	parts := bridge.Parts{Log: k, Objects: folder(at.store), Receipts: publisher, Logger: log}
	if at.zookeeper != "" {
		cfg.Share = true
		z, err := zk.Open(zk.Config{Servers: strings.Split(at.zookeeper, ","), SessionTimeout: sessionTimeout}, at.id, log)
		if err != nil {
			return err
		}
		defer z.Close()
		parts.Leases, parts.Member = z, coord.Member{ID: at.id, Role: coord.Bridge}
	}
	parts.Intake = &intake.MQTT{Options: mqtt.Options{URL: at.mqtt, ClientID: cfg.ClientID, Log: log}, Share: cfg.Share}
	b, err := bridge.New(cfg, parts)
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

// sessionTimeout of bridges that share.
const sessionTimeout = 2 * time.Second

// child is a bridge in a process of its own.
func child(t *testing.T, at site) (kill func()) {
	t.Helper()
	_, kill = startChild(t, at, childBridge)
	kill = sync.OnceFunc(kill)
	t.Cleanup(kill)
	return kill
}

// edge publishes items in their order and hears receipts.
type edge struct {
	name    string
	client  *mqtt.Client
	through chan uint64 // of the latest receipt
}

func newEdge(t testing.TB, at site, name string) *edge {
	t.Helper()
	e := &edge{name: name, through: make(chan uint64, 1)}
	client, err := mqtt.Dial(t.Context(), mqtt.Options{URL: at.mqtt, ClientID: name, Persistent: true})
	if err != nil {
		t.Fatal(err)
	}
	e.client = client
	t.Cleanup(client.Close)
	client.Subscribe(event.ReceiptsTopic(name), 1, func(m mqtt.Message) {
		i, err := event.UnmarshalMQTT(m.Payload)
		if err != nil {
			t.Error(err)
			return
		}
		r, err := event.ParseReceipt(i)
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case <-e.through:
		default:
		}
		e.through <- r.Through
	})
	eventually(t, "the edge is connected", client.Connected)
	return e
}

// online says, retained, that the edge is there.
func (e *edge) online(t testing.TB) {
	payload := fmt.Sprintf(`{"status":"online","edge":%q,"epoch":%q,"version":"test"}`, e.name, epoch)
	if err := e.client.Publish(t.Context(), event.StatusTopic(e.name), 1, true, []byte(payload)); err != nil {
		t.Error(err)
	}
}

func (e *edge) publish(t testing.TB, i event.Item) {
	payload, err := i.MarshalMQTT()
	if err == nil {
		err = e.client.Publish(t.Context(), event.Topic(i.Edge, i.Priority, i.Kind), 1, false, payload)
	}
	if err != nil {
		t.Error(err)
	}
}

// greet sends the first item until a receipt says that the bridge's session stands: before that
// mosquitto has nobody to keep it for.
func (e *edge) greet(t testing.TB) {
	t.Helper()
	first := reading(e.name, 1)
	for range 100 {
		e.publish(t, first)
		select {
		case <-e.through:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatal("the bridge gives no receipt")
}

func (e *edge) await(t testing.TB, seq uint64) {
	t.Helper()
	for patience := time.After(2 * time.Minute); ; {
		select {
		case through := <-e.through:
			if through >= seq {
				return
			}
		case <-patience:
			t.Fatalf("%s: no receipt through %d", e.name, seq)
		}
	}
}

func TestKilledBridgeLosesNothingAndDoublesNothing(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) []string{
		"EmbeddedKafka": func(t *testing.T) []string {
			k, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { k.Close() })
			return k.Brokers()
		},
		"Kafka": func(t *testing.T) []string { return brokertest.StartOwnKafka(t).Brokers },
	} {
		t.Run(name, func(t *testing.T) {
			m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
			at := site{mqtt: m.URL, kafka: strings.Join(start(t), ","), store: t.TempDir()}
			k, err := bridge.DialKafka(kafka.Options{Brokers: strings.Split(at.kafka, ",")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(k.Close)
			if err := k.EnsureTopics(t.Context(), bridge.Topics(2, 1)...); err != nil {
				t.Fatal(err)
			}
			kill := child(t, at)
			const each = 400
			var all sync.WaitGroup
			edges := []*edge{newEdge(t, at, "mast"), newEdge(t, at, "vessel"), newEdge(t, at, "pass")}
			for _, e := range edges {
				e.greet(t)
			}
			for _, e := range edges {
				all.Go(func() {
					for seq := uint64(2); seq <= each; seq++ {
						i := reading(e.name, seq)
						if e.name == "pass" && seq%50 == 0 {
							i = item(e.name, seq, event.Tile, make([]byte, 600<<10))
							for _, part := range inParts(i, 128<<10) {
								e.publish(t, part)
							}
							continue
						}
						e.publish(t, i)
					}
				})
			}
			for n := range uint64(2) {
				edges[0].await(t, (n+1)*each/4)
				kill()
				kill = child(t, at)
			}
			all.Wait()
			for _, e := range edges {
				e.await(t, each)
			}
			count(t, k, each, len(edges))
		})
	}
}

// count reads all of Kafka: each number of each edge must be there once, and in order.
func count(t *testing.T, k *kafka.Client, each uint64, edges int) {
	t.Helper()
	have := map[string]map[uint64]int{}
	type order struct {
		edge     string
		priority event.Priority
	}
	last := map[order]uint64{}
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.DLQTopic} {
		ranges, err := k.Offsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for p, r := range ranges {
			err := k.Scan(t.Context(), topic, p, r.First, r.End, func(r kafka.Record) error {
				i, err := r.Item()
				if err != nil {
					return err
				}
				if have[i.Edge] == nil {
					have[i.Edge] = map[uint64]int{}
				}
				have[i.Edge][i.Seq]++
				if topic == event.EventsTopic {
					of := order{i.Edge, i.Priority}
					if i.Seq < last[of] {
						t.Errorf("%s: %d after %d", i.Edge, i.Seq, last[of])
					}
					last[of] = i.Seq
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(have) != edges {
		t.Errorf("%d edges in Kafka", len(have))
	}
	for e, seqs := range have {
		for seq := uint64(1); seq <= each; seq++ {
			if seqs[seq] != 1 {
				t.Errorf("%s: %d is there %d times", e, seq, seqs[seq])
			}
		}
		if uint64(len(seqs)) != each {
			t.Errorf("%s: %d numbers", e, len(seqs))
		}
	}
}
