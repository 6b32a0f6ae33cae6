package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/mqtt"
)

// publisher is a sensor that numbers its readings and keeps account of what the device's own broker
// acknowledged. A reading whose acknowledgement did not come is not sent again: it may have arrived.
type publisher struct {
	s      *site
	client *mqtt.Client
	next   int
	acked  map[int]bool
	cancel context.CancelFunc
	done   chan struct{}
}

func newPublisher(s *site) *publisher {
	s.t.Helper()
	s.hears()
	return publisherAt(s, s.local.URL)
}

func publisherAt(s *site, url string) *publisher {
	s.t.Helper()
	client, err := mqtt.Dial(s.t.Context(), mqtt.Options{URL: url, ClientID: fmt.Sprint("sensor-", time.Now().UnixNano())})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	until(s.t, 2*time.Minute, "a connection of the sensor", client.Connected)
	return &publisher{s: s, client: client, acked: map[int]bool{}}
}

// publish sends one reading and notes whether it was acknowledged.
func (p *publisher) publish(ctx context.Context) {
	n := p.next
	p.next++
	if p.client.Publish(ctx, "canvas/sensors/boiler/reading", 1, false, fmt.Appendf(nil, `{"n": %d, "t": 21.5}`, n)) == nil {
		p.acked[n] = true
	}
}

// burst sends so many at once and waits for their acknowledgements.
func (p *publisher) burst(n int) {
	p.s.t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	room := make(chan struct{}, 128)
	for range n {
		number := p.next
		p.next++
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			if err := p.client.Publish(p.s.t.Context(), "canvas/sensors/boiler/reading", 1, false, fmt.Appendf(nil, `{"n": %d, "t": 21.5}`, number)); err == nil {
				mu.Lock()
				p.acked[number] = true
				mu.Unlock()
			}
		})
	}
	wait.Wait()
}

// steady sends about so many a second until hush.
func (p *publisher) steady(perSecond int) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		for tick := time.NewTicker(time.Second / time.Duration(perSecond)); ctx.Err() == nil; <-tick.C {
			if !p.client.Connected() {
				continue
			}
			once, stop := context.WithTimeout(context.Background(), 5*time.Second)
			p.publish(once)
			stop()
		}
	}()
	p.s.t.Cleanup(cancel)
}

func (p *publisher) hush() {
	p.cancel()
	<-p.done
}

// compare holds what was acknowledged against Kafka, once nothing is on its way any more.
func (p *publisher) compare(limit time.Duration) {
	p.s.t.Helper()
	var times map[int]int
	lost, doubled, dropped := 0, 0, 0
	count := func() bool {
		times = map[int]int{}
		lost, doubled, dropped = 0, 0, 0
		for _, l := range p.s.inKafka() {
			dropped += len(l.dropped)
			for n, k := range l.readingNumbers(p.s.t) {
				times[n] += k
			}
		}
		for n := range p.acked {
			if times[n] == 0 {
				lost++
			}
		}
		for _, k := range times {
			if k > 1 {
				doubled++
			}
		}
		return lost <= dropped
	}
	for end := time.Now().Add(limit); !count() && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
	}
	p.s.settle(2 * time.Minute)
	count()
	if lost > dropped || doubled > 0 {
		p.s.t.Errorf("of %d acknowledged readings %d are neither in Kafka nor in the ledger, %d came twice", len(p.acked), lost-dropped, doubled)
	}
	p.s.t.Logf("%d readings, %d acknowledged, %d in Kafka, %d in the ledger", p.next, len(p.acked), len(times), dropped)
}

// TestWhatTheDevicesBrokerAcknowledgedArrivesOnce kills, stops and restarts the agent and its broker
// under load, and lets a burst come while the agent is down. It runs beside no other: a broker that is
// killed has handed on what it acknowledged only if it had a core to do so.
func TestWhatTheDevicesBrokerAcknowledgedArrivesOnce(t *testing.T) {
	s := newSite(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	s.run("")
	p := newPublisher(s)
	for range rounds(2, 20) {
		p.steady(400)
		for range 2 {
			time.Sleep(time.Duration(random.Int64N(int64(500 * time.Millisecond)))) // the random moment itself
			s.edge.kill(t)
			s.run("")
		}
		s.stop()
		p.hush()
		p.burst(rounds(5_000, 10_000))
		s.local.Save()
		until(t, 2*time.Minute, "what the broker holds on its disk", s.local.Saved)
		s.local.Kill()
		s.local.Restart()
		s.run("")
		until(t, 2*time.Minute, "a connection of the sensor", p.client.Connected)
	}
	// What the broker hands on at once survives its death; what it holds back is as old as its last save.
	until(t, 2*time.Minute, "a broker that holds nothing", func() bool { return s.must().committed >= uint64(len(p.acked)) })
	s.local.Save()
	until(t, 2*time.Minute, "what the broker holds on its disk", s.local.Saved)
	p.steady(400)
	for range rounds(2, 20) {
		before := s.must().committed // what comes while the agent is away is in the broker's memory alone
		until(t, 2*time.Minute, "readings", func() bool { return s.must().committed > before+10 })
		time.Sleep(time.Duration(random.Int64N(int64(time.Second)))) // the random moment itself
		s.local.Kill()
		s.local.Restart()
		until(t, 2*time.Minute, "a connection of the sensor", p.client.Connected)
	}
	p.hush()
	p.compare(2 * time.Minute)
	if !strings.Contains(s.edge.log.String(), "has started from a save that is older") {
		t.Error("the device does not say that its broker went back to an older save")
	}
}

// stop ends the device as its service manager does.
func (s *site) stop() {
	s.t.Helper()
	s.edge.signal(s.t, syscall.SIGTERM)
	select {
	case <-s.edge.done:
	case <-time.After(2 * time.Minute):
		s.t.Fatal("the device does not stop")
	}
}

// TestWhatTheBrokerWithinTheAgentAcknowledgedArrivesOnce kills the agent with its broker.
func TestWhatTheBrokerWithinTheAgentAcknowledgedArrivesOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	s.within = "embedded: " + strconv.Quote(at)
	s.run("")
	p := publisherAt(s, "mqtt://"+at)
	p.steady(400)
	for range rounds(3, 50) {
		time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Millisecond)))) // the random moment itself
		s.edge.kill(t)
		s.run("")
		until(t, 2*time.Minute, "a connection of the sensor", p.client.Connected)
	}
	s.stop()
	s.run("")
	until(t, 2*time.Minute, "a connection of the sensor", p.client.Connected)
	p.hush()
	began := time.Now()
	p.burst(5000)
	t.Logf("%.0f readings a second", 5000/time.Since(began).Seconds())
	p.compare(2 * time.Minute)
}
