package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// fleet is an edge, a bridge, two workers and a mosaic, each a process of its own.
type fleet struct {
	dir      string
	brokers  brokers
	products string
	config   string
	bridge   *process
	workers  [2]*process
}

// startFleet starts the cloud's processes over brokers of its own.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(t, startBrokers(t))
	f.bridge = f.cloud(t, "bridge", "bridge-1")
	for i := range f.workers {
		f.workers[i] = f.cloud(t, "worker", fmt.Sprintf("worker-%d", i+1))
	}
	f.cloud(t, "mosaic", "mosaic-1")
	return f
}

// newFleet is a fleet without a process as yet.
func newFleet(t testing.TB, b brokers) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir(), brokers: b}
	f.products = filepath.Join(f.dir, "products")
	f.config = write(t, filepath.Join(f.dir, "cloud.yaml"), `
mqtt: {url: %q}
kafka: {brokers: [%s], partitions: 4}
zookeeper: {servers: [%s], session_timeout: 3s, root: /canvas-%d}
store: %q
products: %q
mosaic: {settle: 200ms, work_dir: %q}
attempts: {folder: %q}
worker: {batch_items: 2, prefetch: 4}
assign: {rebalance: 2s}
models: {engine: onnxruntime-cpu} # two engines would make masks that differ by a rounding
`, f.brokers.mqtt, strings.Join(f.brokers.kafka, ","), strings.Join(f.brokers.zookeeper, ","), time.Now().UnixNano(),
		"file://"+filepath.Join(f.dir, "objects"), f.products, filepath.Join(f.dir, "work"), filepath.Join(f.dir, "attempts"))
	return f
}

// sees adds lines to the worker's configuration, and a folder of models.
func (f *fleet) sees(t testing.TB, models, worker string) {
	t.Helper()
	config, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), "worker: {", "worker: {"+worker+", ", 1)
	write(t, f.config, "%s", strings.Replace(text, "models: {", fmt.Sprintf("models: {folders: [%q], ", models), 1))
}

func (f *fleet) cloud(t testing.TB, role, id string) *process {
	t.Helper()
	return start(t, "canvas-cloud", "--config", f.config, role, "--id", id)
}

// device starts a canvas-edge; sources are more lines of its configuration.
func (f *fleet) device(t *testing.T, name, sources string) *process {
	t.Helper()
	config := write(t, filepath.Join(f.dir, name+".yaml"), `
edge: %s
data: %q
cloud: {url: %q}
uplink: {receipt_timeout: 2s}
attempts: {notes: %q}
%s
`, name, filepath.Join(f.dir, name), f.brokers.mqtt, filepath.Join(f.dir, name+"-notes"), sources)
	return start(t, "canvas-edge", "--config", config, "run")
}

// count is how many records a topic holds.
func (f *fleet) count(t *testing.T, k *kafka.Client, topic string) (n int64) {
	t.Helper()
	offsets, err := k.Offsets(t.Context(), topic)
	if err != nil {
		return 0
	}
	for _, o := range offsets {
		n += o.End - o.First
	}
	return n
}

func (f *fleet) kafka(t testing.TB) *kafka.Client {
	t.Helper()
	k, err := kafka.Dial(kafka.Options{Brokers: f.brokers.kafka})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// delivered reads every item of the edge's out of Kafka and says how many numbers there are, the
// largest of them, and how many came more than once.
func delivered(t *testing.T, k *kafka.Client, edge string) (distinct, most, doubled int) {
	t.Helper()
	seen := map[uint64]bool{}
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic} {
		offsets, err := k.Offsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for p, o := range offsets {
			err := k.Scan(t.Context(), topic, p, o.First, o.End, func(r kafka.Record) error {
				i, err := r.Item()
				if err != nil || i.Edge != edge || i.Seq == 0 {
					return err
				}
				if seen[i.Seq] {
					doubled++
				}
				seen[i.Seq] = true
				most = max(most, int(i.Seq))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return len(seen), most, doubled
}

func mask(t *testing.T, folder, scene string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, scene, "mask.tif"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTheProductsAreTheSameWhenAWorkerAndTheBridgeAreKilled sends a scene and a video through separate
// processes over real brokers. The second time a worker and the bridge are killed in the middle, and
// only the bridge comes back.
func TestTheProductsAreTheSameWhenAWorkerAndTheBridgeAreKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	dir := t.TempDir()
	if code, out := run(t, "canvas", "simulate", "scene", "--out", dir, "--width", "900", "--height", "700", "--seed", "3"); code != 0 {
		t.Fatal(out)
	}
	scene := filepath.Join(dir, "scene.tif")
	sources := fmt.Sprintf("scenes: [{name: made, path: %q, tile_size: 256}]\n", scene)

	var want []byte
	t.Run("nothing is killed", func(t *testing.T) {
		calm := startFleet(t)
		calm.device(t, "mast", sources)
		until(t, 2*time.Minute, "the scene's product", func() bool { return there(calm.products, "made/item.json") })
		want = mask(t, calm.products, "made")
	})

	f := startFleet(t)
	k := f.kafka(t)
	f.device(t, "mast", sources)
	until(t, 2*time.Minute, "work in Kafka", func() bool { return f.count(t, k, event.WorkTopic) >= 3 })
	f.bridge.kill(t)
	until(t, 2*time.Minute, "a result", func() bool { return f.count(t, k, event.ResultsTopic) >= 1 })
	f.workers[0].kill(t)
	f.bridge = f.cloud(t, "bridge", "bridge-2")
	until(t, 2*time.Minute, "the scene's product after the kills", func() bool { return there(f.products, "made/item.json") })
	if got := mask(t, f.products, "made"); string(got) != string(want) {
		t.Error("the mask is another one")
	}
	distinct, most, doubled := delivered(t, k, "mast")
	if distinct != most || doubled != 0 {
		t.Errorf("%d items of %d are in Kafka, %d more than once", distinct, most, doubled)
	}
	if code, out := run(t, "canvas-cloud", "--config", f.config, "status"); code != 0 || !strings.Contains(out, "worker-2") {
		t.Errorf("status: %d\n%s", code, out)
	}
}

func there(folder, file string) bool {
	_, err := os.Stat(filepath.Join(folder, file))
	return err == nil
}
