package firmware

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

// site is a broker with the shipped files and those who connect to it.
type site struct {
	*brokertest.Shipped
	t *testing.T
}

func newSite(t *testing.T) site {
	t.Helper()
	return site{brokertest.StartShipped(t, "mosquitto"), t}
}

// ear is a client that writes down what comes and how often it was thrown out.
type ear struct {
	*mqtt.Client
	mu     sync.Mutex
	came   []string
	downs  int
	stands chan struct{}
}

func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.came...)
}

func (e *ear) thrownOut() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.downs
}

// connect dials and waits until the subscriptions are answered.
func (s site) connect(o mqtt.Options, filters ...string) *ear {
	s.t.Helper()
	e := &ear{stands: make(chan struct{}, len(filters)+1)}
	up := make(chan struct{}, 100)
	o.OnUp = func() { tell(up) }
	o.OnDown = func(error) { e.mu.Lock(); e.downs++; e.mu.Unlock() }
	var err error
	if e.Client, err = mqtt.Dial(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(e.Close)
	for _, f := range filters {
		e.SubscribeThen(f, 1, func(m mqtt.Message) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.came = append(e.came, m.Topic+" "+string(m.Payload))
		}, func() { tell(e.stands) })
	}
	for range len(filters) {
		await(s.t, e.stands, "an answer to a subscription")
	}
	await(s.t, up, "a connection")
	return e
}

func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal("there is no ", what)
	}
}

func (s site) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("never came: ", what)
		}
	}
}

// say publishes what is allowed.
func (s site) say(e *ear, topic, payload string, retain bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		err := e.Publish(ctx, topic, 1, retain, []byte(payload))
		if err == nil {
			return
		}
		if !errors.Is(err, mqtt.ErrOffline) && !errors.Is(err, mqtt.ErrConnectionLost) {
			s.t.Error(err)
			return
		}
		time.Sleep(5 * time.Millisecond) // between two looks whether it is back
	}
}

// forge publishes what is not allowed, over a connection of its own: mosquitto 2.0 acknowledges it,
// throws it away, and ends the connection.
func (s site) forge(o mqtt.Options, topic string, retain bool) {
	s.t.Helper()
	o.Log, o.Will = slog.New(slog.DiscardHandler), nil
	e := s.connect(o)
	defer e.Close()
	if err := e.Publish(s.t.Context(), topic, 1, retain, []byte("forged")); err != nil && !errors.Is(err, mqtt.ErrConnectionLost) {
		s.t.Fatal(err)
	}
}

func TestADeviceIsWhomItsCertificateNames(t *testing.T) {
	s := newSite(t)
	quiet := slog.New(slog.DiscardHandler)
	service := s.Service("canvas-bridge")
	bridges := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-bridge", Persistent: true, Security: service}, event.UpFilter, event.StatusFilter)
	shared := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-bridge-7", Persistent: true, Security: service}, "canvas/v1/mast-7/up/+/+")
	mast := s.connect(mqtt.Options{URL: s.DeviceURL, ClientID: "canvas-edge-mast-7", Persistent: true, Security: s.Device("mast-7")}, event.ReceiptsTopic("mast-7"))
	s.say(mast, event.StatusTopic("mast-7"), "here", true)

	// Whatever id it asks for, it is itself.
	thief := s.Device("thief")
	for _, id := range []string{"canvas-bridge", "canvas-bridge-7", "canvas-edge-mast-7", "mast-7", ""} {
		will := &mqtt.Message{Topic: event.StatusTopic("mast-7"), Payload: []byte("gone"), QoS: 1, Retained: true}
		o := mqtt.Options{URL: s.DeviceURL, ClientID: id, Security: thief, Will: will, Log: quiet}
		for _, topic := range []string{event.Topic("mast-7", event.Urgent, event.Reading), event.StatusTopic("mast-7"), event.ReceiptsTopic("mast-7"),
			event.ReceiptsTopic("thief"), "canvas/v1/up", "$SYS/broker/uptime", "elsewhere"} {
			s.forge(o, topic, topic == event.StatusTopic("mast-7"))
		}
		e := s.connect(o, "#", "$SYS/#", event.UpFilter, "canvas/v1/+/down/#", event.StatusFilter, event.ReceiptsTopic("mast-7"))
		s.say(mast, event.Topic("mast-7", event.Normal, event.Reading), "from mast-7 while "+id, false)
		s.say(bridges, event.ReceiptsTopic("mast-7"), "to mast-7 while "+id, false)
		s.until("mast-7's item", func() bool {
			return contains(bridges.heard(), "from mast-7 while "+id) && contains(shared.heard(), "from mast-7 while "+id)
		})
		s.until("mast-7's receipt", func() bool { return contains(mast.heard(), "to mast-7 while "+id) })
		if got := e.heard(); len(got) > 0 {
			t.Errorf("a device that calls itself %q hears %q", id, got)
		}
		if id == "" {
			s.say(e, event.Topic("thief", event.Normal, event.Reading), "its own", false)
			s.until("what a device says of itself", func() bool { return contains(bridges.heard(), "its own") })
		}
		e.Close()
	}
	// A will is said when its client is thrown out: by another of its own name.
	for range 2 {
		s.connect(mqtt.Options{URL: s.DeviceURL, ClientID: "again", Security: thief, Log: quiet,
			Will: &mqtt.Message{Topic: event.StatusTopic("mast-7"), Payload: []byte("gone"), QoS: 1, Retained: true}})
	}
	s.say(mast, event.Topic("mast-7", event.Normal, event.Reading), "the end", false)
	s.until("the last item", func() bool { return contains(bridges.heard(), "the end") })
	for _, e := range []*ear{bridges, shared, mast} {
		for _, line := range e.heard() {
			if strings.Contains(line, "forged") || strings.Contains(line, "gone") {
				t.Errorf("came through: %q", line)
			}
		}
		if n := e.thrownOut(); n > 0 {
			t.Errorf("somebody was thrown out %d times by a device", n)
		}
	}
}

func contains(lines []string, part string) bool {
	for _, line := range lines {
		if strings.HasSuffix(line, part) {
			return true
		}
	}
	return false
}

func TestNobodyComesInWithoutTheRightCertificate(t *testing.T) {
	s := newSite(t)
	s.connect(mqtt.Options{URL: s.DeviceURL, Security: s.Device("mast-7")}) // the broker is up
	nobody := s.Device("x")
	nobody.Cert, nobody.Key = "", ""
	cert, key := brokertest.NewAuthority(t, "devices").Issue(t, "mast-7")
	for name, o := range map[string]mqtt.Options{
		"no certificate":                     {URL: s.DeviceURL, Security: nobody},
		"no certificate to the services":     {URL: s.ServiceURL, Security: nobody},
		"a device's at the services":         {URL: s.ServiceURL, Security: s.Device("canvas-bridge")},
		"a service's at the devices":         {URL: s.DeviceURL, Security: s.Service("canvas-bridge")},
		"another authority of the same name": {URL: s.DeviceURL, Security: security.Security{CA: s.Device("x").CA, Cert: cert, Key: key}},
	} {
		said := make(chan struct{}, 1)
		o.ClientID, o.Log = "canvas-bridge", slog.New(warned{said})
		m, err := mqtt.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		await(t, said, "word of the refusal of "+name)
		if m.Connected() {
			t.Errorf("%s is let in", name)
		}
		m.Close()
	}
}

// warned says when a warning is logged.
type warned struct{ said chan struct{} }

func (w warned) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (w warned) WithAttrs([]slog.Attr) slog.Handler               { return w }
func (w warned) WithGroup(string) slog.Handler                    { return w }
func (w warned) Handle(context.Context, slog.Record) error {
	tell(w.said)
	return nil
}

func TestServicesMayDoWhatTheyAreFor(t *testing.T) {
	s := newSite(t)
	mast := s.connect(mqtt.Options{URL: s.DeviceURL, Security: s.Device("mast-7")}, event.ReceiptsTopic("mast-7"), event.DownTopic("mast-7", "models"))
	importer := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-import-x", Security: s.Service("canvas-import")}, event.ReceiptsTopic("mast-7"), event.StatusFilter)
	console := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "x-statuses", Security: s.Service("canvas-console")}, event.StatusFilter, event.UpFilter)
	bridges := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-bridge", Security: s.Service("canvas-bridge")}, event.UpFilter)

	s.say(mast, event.StatusTopic("mast-7"), "here", true)
	s.say(importer, event.Topic("mast-7", event.Normal, event.Reading), "carried", false)
	for topic, user := range map[string]string{event.StatusTopic("mast-7"): "canvas-import", event.ReceiptsTopic("mast-7"): "canvas-console",
		event.DownTopic("mast-7", "models"): "canvas-import", event.Topic("mast-7", event.Urgent, event.Reading): "canvas-console"} {
		s.forge(mqtt.Options{URL: s.ServiceURL, Security: s.Service(user)}, topic, true)
	}
	s.until("what was carried", func() bool { return contains(bridges.heard(), "carried") })
	s.say(bridges, event.DownTopic("mast-7", "models"), "an offer", false)
	s.say(bridges, event.ReceiptsTopic("mast-7"), "a receipt", false)
	s.until("the device's mail", func() bool { return contains(mast.heard(), "an offer") && contains(mast.heard(), "a receipt") })
	s.until("the importer's receipt", func() bool { return contains(importer.heard(), "a receipt") })
	s.until("the status", func() bool { return contains(console.heard(), "here") })
	for name, want := range map[*ear]int{mast: 2, importer: 1, console: 1, bridges: 1} {
		if got := name.heard(); len(got) != want {
			t.Errorf("came: %q", got)
		}
	}
}

// TestABridgeThatSharesWorksWithTheShippedFiles lets a device through every slot's session.
func TestABridgeThatSharesWorksWithTheShippedFiles(t *testing.T) {
	s := newSite(t)
	service := s.Service("canvas-bridge")
	came := make(chan string, 100)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	intake := intake.MQTT{Options: mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-bridge", Security: service}, Share: true}
	go func() {
		done <- intake.Run(ctx, slots.Every, nil, func(m mqtt.Message) { m.Ack(); came <- m.Topic })
	}()
	for _, name := range []string{"mast-7", "gate-1", "boat"} {
		device := s.connect(mqtt.Options{URL: s.DeviceURL, Security: s.Device(name)})
		s.say(device, event.StatusTopic(name), "here", true)
		heard := false
		for deadline := time.After(2 * time.Minute); !heard; {
			select {
			case topic := <-came:
				heard = topic == event.StatusTopic(name)
			case <-deadline:
				t.Fatal("the bridge does not hear of ", name)
			}
		}
		s.say(device, event.Topic(name, event.Normal, event.Reading), "21.5", false)
		for topic := ""; topic != event.Topic(name, event.Normal, event.Reading); {
			select {
			case topic = <-came:
			case <-time.After(2 * time.Minute):
				t.Fatal("the bridge does not hear ", name)
			}
		}
	}
	stop()
	<-done
}

// TestACopiedCardGoesOnInTurns lets two devices of one certificate send at the same time: each throws
// the other out, and both get through.
func TestACopiedCardGoesOnInTurns(t *testing.T) {
	s := newSite(t)
	bridges := s.connect(mqtt.Options{URL: s.ServiceURL, ClientID: "canvas-bridge", Security: s.Service("canvas-bridge")}, event.UpFilter)
	card := s.Device("mast-7")
	var both sync.WaitGroup
	for _, device := range []string{"the card", "its copy"} {
		e, err := mqtt.Dial(t.Context(), mqtt.Options{URL: s.DeviceURL, ClientID: device, Persistent: true, Security: card})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		both.Go(func() {
			for n := range 20 {
				s.say(&ear{Client: e}, event.Topic("mast-7", event.Normal, event.Reading), strings.Repeat("x", n)+" of "+device, false)
			}
		})
	}
	both.Wait()
	s.until("what both have sent", func() bool {
		return contains(bridges.heard(), strings.Repeat("x", 19)+" of the card") && contains(bridges.heard(), strings.Repeat("x", 19)+" of its copy")
	})
}
