package integration

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// link is the way between the device and the cloud's broker, with weather.
type link struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// newLink puts a link between a site's device and its cloud.
func (s *site) newLink() *link {
	s.t.Helper()
	broker, err := url.Parse(s.mqtt.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	toxics.Register("reset_some", new(resetSome))
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	l := &link{s.t, toxiproxy.NewProxy(server, s.name, "127.0.0.1:0", broker.Host)}
	l.mend()
	s.t.Cleanup(l.cut)
	s.cloud = "tcp://" + l.proxy.Listen
	return l
}

func (l *link) cut() { l.proxy.Stop() }

func (l *link) mend() {
	l.t.Helper()
	if err := l.proxy.Start(); err != nil {
		l.t.Fatal(err)
	}
}

// toxic makes the link bad in both directions, in one of toxiproxy's ways.
func (l *link) toxic(kind, attributes string) {
	l.t.Helper()
	for _, way := range []string{"upstream", "downstream"} {
		text := fmt.Sprintf(`{"name": "%s-%s", "type": %q, "stream": %q, "attributes": %s}`, kind, way, kind, way, attributes)
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			l.t.Fatal(err)
		}
	}
}

// fair ends all weather.
func (l *link) fair() { l.proxy.Toxics.ResetToxics(l.t.Context()) }

// resetSome resets the connection at some of the chunks that pass.
type resetSome struct {
	Percent float64 `json:"percent"`
}

func (r *resetSome) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil || rand.Float64()*100 < r.Percent {
				stub.Close()
				return
			}
			stub.Output <- chunk
		}
	}
}

// TestAThinAndBrokenLinkLosesNothing sends readings through a link that is cut, resets 2 % of what
// passes, is 600 ms long, carries 1 kB a second, and flaps; all of them arrive once.
func TestAThinAndBrokenLinkLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	long := time.Duration(rounds(1, 10))
	send := func(perSecond int, d time.Duration) {
		load := s.readings(perSecond, 2)
		time.Sleep(d) // the length of the load
		load.stop()
	}
	drained := func(what string) {
		before := time.Now()
		until(t, 60*time.Second*long, "what was sent over a link that "+what, func() bool {
			c, err := s.counts()
			return err == nil && c.waiting == 0
		})
		t.Logf("a link that %s: empty after %s", what, time.Since(before).Round(time.Millisecond))
	}

	send(200, 300*time.Millisecond)
	l.cut()
	send(200, 700*time.Millisecond*long)
	if s.must().waiting == 0 {
		t.Error("nothing waits while the link is cut")
	}
	l.mend()
	drained("was cut")

	l.toxic("latency", `{"latency": 300}`)
	send(200, 500*time.Millisecond*long)
	drained("is 600 ms long")
	l.fair()

	l.toxic("bandwidth", `{"rate": 1}`)
	send(5, time.Second*long)
	drained("carries 1 kB a second")
	l.fair()

	l.toxic("reset_some", `{"percent": 2}`)
	send(40, 500*time.Millisecond*long)
	drained("resets 2 % of what passes")
	l.fair()

	load := s.readings(200, 2)
	for range rounds(2, 60) {
		l.cut()
		time.Sleep(rand.N(400 * time.Millisecond)) // the flaps
		l.mend()
		time.Sleep(rand.N(800 * time.Millisecond))
	}
	load.stop()
	drained("flaps")
	s.balance(30 * time.Second)
}
