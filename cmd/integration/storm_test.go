package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// storm is a whole appliance in which anything may be killed or stopped: a device, two bridges, three
// workers, two mosaics, mosquitto, Kafka and three ZooKeeper servers.
type storm struct {
	t      *testing.T
	random *rand.Rand
	fleet  *fleet
	site   *site
	mqtt   *brokertest.Mosquitto
	kafka  *brokertest.Kafka
	zk     *brokertest.ZooKeeper
	ours   []*member
	scenes string
	made   int
}

// member is a process of the cloud's that is started again under the name it had.
type member struct {
	role, id string
	*process
}

// longest is how long a fault lasts at most: twice a session.
const longest = 6 * time.Second

func newStorm(t *testing.T) *storm {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &storm{t: t, random: rand.New(rand.NewPCG(seed, 1)), mqtt: brokertest.StartMosquitto(t), kafka: brokertest.StartOwnKafka(t), zk: brokertest.StartZooKeeper(t, 3)}
	s.fleet = newFleet(t, brokers{mqtt: s.mqtt.URL, kafka: s.kafka.Brokers, zookeeper: s.zk.Servers})
	for _, m := range []member{{role: "bridge"}, {role: "bridge"}, {role: "worker"}, {role: "worker"}, {role: "worker"}, {role: "mosaic"}, {role: "mosaic"}} {
		m.id = fmt.Sprintf("%s-%d", m.role, len(s.ours))
		m.process = s.fleet.cloud(t, m.role, m.id)
		s.ours = append(s.ours, &m)
	}
	s.site = &site{
		t: t, name: "mast", dir: t.TempDir(), local: brokertest.StartMosquitto(t), mqtt: s.mqtt, cloud: s.mqtt.URL,
		kafka: s.fleet.kafka(t), began: map[string]map[int]int64{}, from: fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t)),
	}
	s.site.data, s.scenes = filepath.Join(s.site.dir, "data"), filepath.Join(s.site.dir, "scenes")
	if err := os.MkdirAll(s.scenes, 0o755); err != nil {
		t.Fatal(err)
	}
	s.device()
	return s
}

func (s *storm) device() { s.site.run(fmt.Sprintf("scenes: [{name: inbox, folder: %q}]\n", s.scenes)) }

func (s *storm) wait() {
	time.Sleep(time.Duration(s.random.Int64N(int64(longest)))) // how long a fault lasts
}

// strike makes one fault, lets it last, mends it, and says what it was.
func (s *storm) strike() string {
	s.t.Helper()
	switch dice := s.random.IntN(20); {
	case dice < 11:
		m := s.ours[s.random.IntN(len(s.ours))]
		if s.random.IntN(3) == 0 {
			m.signal(s.t, syscall.SIGSTOP)
			s.wait()
			m.signal(s.t, syscall.SIGCONT)
			return m.id + " stopped"
		}
		m.kill(s.t)
		s.wait()
		m.process = s.fleet.cloud(s.t, m.role, m.id)
		return m.id + " killed"
	case dice < 13:
		s.site.edge.kill(s.t)
		s.device()
		return "device killed"
	case dice < 15:
		s.mqtt.Kill()
		s.wait()
		s.mqtt.Restart()
		return "mosquitto killed"
	case dice < 17:
		s.kafka.Kill()
		s.wait()
		s.kafka.Restart(s.t)
		return "Kafka killed"
	case dice < 18:
		n := s.random.IntN(3)
		s.zk.Freeze(n)
		s.wait()
		s.zk.Thaw(n)
		return "a ZooKeeper server stopped"
	default:
		n := s.random.IntN(3)
		s.zk.Kill(n)
		s.wait()
		s.zk.Restart(n)
		return "a ZooKeeper server killed"
	}
}

// scene puts one more copy of the scene before the device.
func (s *storm) scene(from string) {
	copyFile(s.t, from, filepath.Join(s.scenes, s.name(s.made)+".tif"))
	s.made++
}

func (s *storm) name(n int) string { return fmt.Sprintf("field-%03d", n) }

// TestAnythingIsKilledOrStoppedUnderLoad makes faults at random for as long as there is load: every
// number of the device's is in Kafka or its ledger, every picture has its result, and the masks of all
// scenes, which are one scene, are the same to the byte.
func TestAnythingIsKilledOrStoppedUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	dir := t.TempDir()
	if code, out := run(t, "canvas", "simulate", "scene", "--out", dir, "--width", "600", "--height", "500", "--seed", "4"); code != 0 {
		t.Fatal(out)
	}
	s := newStorm(t)
	load := s.site.readings(100, 3)
	var faults []string
	for range rounds(3, 50) {
		s.scene(filepath.Join(dir, "scene.tif"))
		s.wait()
		faults = append(faults, s.strike())
	}
	sent := load.stop()
	t.Logf("%d readings, %d scenes; %q", sent, s.made, faults)

	until(t, 5*time.Minute, "a product of every scene", func() bool {
		for n := range s.made {
			if !there(s.fleet.products, s.name(n)+"/item.json") {
				return false
			}
		}
		return true
	})
	want := mask(t, s.fleet.products, s.name(0))
	for n := range s.made {
		if !bytes.Equal(mask(t, s.fleet.products, s.name(n)), want) {
			t.Errorf("the mask of %s is another one", s.name(n))
		}
	}
	c := s.site.settle(2 * time.Minute)
	s.site.compare(c, s.site.inKafka())
	s.site.once(s.site.inKafka())
	s.answered()
}

// answered holds the results against the work.
func (s *storm) answered() {
	s.t.Helper()
	ids := func(topic string) map[string]int {
		n := map[string]int{}
		offsets, err := s.site.kafka.Offsets(s.t.Context(), topic)
		if err != nil {
			s.t.Fatal(err)
		}
		for p, o := range offsets {
			if err := s.site.kafka.Scan(s.t.Context(), topic, p, o.First, o.End, func(r kafka.Record) error {
				i, err := r.Item()
				n[i.Subject]++
				return err
			}); err != nil {
				s.t.Fatal(err)
			}
		}
		return n
	}
	work, results := ids(event.WorkTopic), ids(event.ResultsTopic)
	repeated, without := 0, 0
	for what := range work {
		switch results[what] {
		case 0:
			without++
		case 1:
		default:
			repeated++
		}
	}
	if without > 0 || len(work) == 0 {
		s.t.Errorf("%d of %d pictures have no result", without, len(work))
	}
	s.t.Logf("%d pictures, %d results repeated under the same id", len(work), repeated)
}
