package integration

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/soak"
)

// rounds is how often a fault is made: a few times in `make test`, often in `make soak`.
func rounds(short, long int) int {
	if soak.Asked() {
		return long
	}
	return short
}

// site is one device with a broker for its sensors, and a cloud of mosquitto, a bridge and Kafka.
type site struct {
	t       testing.TB
	name    string // of the device
	dir     string
	data    string // the device's folder
	local   *brokertest.Mosquitto
	mqtt    *brokertest.Mosquitto
	cloud   string // the broker's address as the device has it
	kafka   *kafka.Client
	began   map[string]map[int]int64 // offsets of topics when the site began: Kafka is shared by the tests
	from    string                   // where the device answers about itself
	edge    *process
	heard   *brokertest.Mosquitto // the sensors' broker at which the device has had a subscription
	rules   string                // for the sensors
	trusted string                // keys of the cloud that the device trusts, with commas
	within  string                // a local broker within the agent, where one is wanted
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), name: fmt.Sprintf("mast-%d", time.Now().UnixNano()), local: brokertest.StartMosquitto(t), mqtt: brokertest.StartMosquitto(t)}
	s.data, s.cloud, s.from = filepath.Join(s.dir, "data"), s.mqtt.URL, fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	brokers := brokertest.StartKafka(t).Brokers
	config := write(t, filepath.Join(s.dir, "cloud.yaml"), `
mqtt: {url: %q}
kafka: {brokers: [%s], partitions: 2}
zookeeper: {servers: [%s], session_timeout: 3s, root: /%s}
store: %q
bridge: {receipt_every: 100ms}
`, s.mqtt.URL, strings.Join(brokers, ","), strings.Join(brokertest.SharedZooKeeper(t), ","), s.name, "file://"+filepath.Join(s.dir, "objects"))
	start(t, "canvas-cloud", "--config", config, "bridge", "--id", "bridge-1")
	var err error
	if s.kafka, err = kafka.Dial(kafka.Options{Brokers: brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	s.began = map[string]map[int]int64{}
	for _, topic := range countedTopics {
		s.began[topic] = map[int]int64{}
		if offsets, err := s.kafka.Offsets(t.Context(), topic); err == nil {
			for p, o := range offsets {
				s.began[topic][p] = o.End
			}
		}
	}
	return s
}

var countedTopics = []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic}

// configure writes the device's configuration; lines are added to it.
func (s *site) configure(lines string) (file string) {
	return write(s.t, filepath.Join(s.dir, "edge.yaml"), `
edge: %s
data: %q
cloud: {url: %q, trusted_keys: [%s]}
local: {%s}
sensors: {enabled: true, readings: 100000, rules: [%s]}
uplink: {receipt_timeout: 1s}
telemetry: {listen: %q}
attempts: {notes: %q}
%s
`, s.name, s.data, s.cloud, s.trusted, cmp.Or(s.within, fmt.Sprintf("url: %q", s.local.URL)), s.rules, s.from, filepath.Join(s.dir, "notes"), lines)
}

// run starts the device and waits until it answers.
func (s *site) run(lines string) {
	s.t.Helper()
	s.edge = start(s.t, "canvas-edge", "--config", s.configure(lines), "run")
	s.awaitAnswer()
}

func (s *site) awaitAnswer() {
	s.t.Helper()
	until(s.t, 2*time.Minute, "an answer of the device", func() bool {
		select {
		case err := <-s.edge.done:
			s.edge.done <- err
			s.t.Fatalf("the device ended: %v\n%s", err, s.edge.log.tail(20))
		default:
		}
		_, err := s.counts()
		return err == nil
	})
}

// counts are the buffer's, as the device tells them.
type counts struct{ committed, received, dropped, waiting, quarantined, shed uint64 }

func (s *site) counts() (c counts, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.from+"/metrics", nil)
	if err != nil {
		return c, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return c, err
	}
	defer answer.Body.Close()
	into := map[string]*uint64{
		"canvas_edge_outbox_committed_items_total": &c.committed, "canvas_edge_outbox_received_items_total": &c.received,
		"canvas_edge_outbox_dropped_items_total": &c.dropped, "canvas_edge_outbox_waiting_items": &c.waiting,
		"canvas_edge_quarantined_total": &c.quarantined, "canvas_edge_shed_total": &c.shed,
	}
	found := 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := into[name]; to != nil {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return c, err
			}
			*to = uint64(f)
			found++
		}
	}
	if found != len(into) {
		return c, errors.New("the device does not tell its counts")
	}
	return c, nil
}

// must is counts of a device that answers.
func (s *site) must() counts {
	s.t.Helper()
	c, err := s.counts()
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// sensors publish readings on the device's broker, numbered, until told to stop.
type sensors struct {
	cancel context.CancelFunc
	sent   chan int
}

// readings publishes about so many a second, each with that many values, once the device hears them.
func (s *site) readings(perSecond, values int) *sensors {
	s.t.Helper()
	s.hears()
	client, err := mqtt.Dial(s.t.Context(), mqtt.Options{URL: s.local.URL, ClientID: fmt.Sprint("boiler-", time.Now().UnixNano())})
	if err != nil {
		s.t.Fatal(err)
	}
	more := ""
	for v := range values - 1 {
		more += fmt.Sprintf(`, "v%03d": %d.123456`, v, v)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &sensors{cancel: cancel, sent: make(chan int, 1)}
	go func() {
		defer client.Close()
		n := 0
		for tick := time.NewTicker(time.Second / time.Duration(perSecond)); ctx.Err() == nil; <-tick.C {
			if client.Publish(ctx, "canvas/sensors/boiler/reading", 1, false, fmt.Appendf(nil, `{"n": %d%s}`, n, more)) == nil {
				n++
			}
		}
		l.sent <- n
	}()
	s.t.Cleanup(cancel)
	return l
}

// hears waits until the device has its subscription at a broker that never saw it: until then the broker
// throws readings away, as it must. What is said here is no reading, and is left out.
func (s *site) hears() {
	s.t.Helper()
	if s.heard == s.local {
		return
	}
	client, err := mqtt.Dial(s.t.Context(), mqtt.Options{URL: s.local.URL, ClientID: fmt.Sprint("probe-", time.Now().UnixNano())})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	until(s.t, 2*time.Minute, "a device that hears its sensors", func() bool {
		if err := client.Publish(s.t.Context(), "canvas/sensors/boiler/reading", 1, false, []byte("no reading")); err != nil {
			return false
		}
		return strings.Contains(s.edge.log.String(), "message skipped")
	})
	s.heard = s.local
}

func (l *sensors) stop() (sent int) {
	l.cancel()
	return <-l.sent
}
