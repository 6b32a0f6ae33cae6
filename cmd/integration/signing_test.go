package integration

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/signed"
)

// TestADeviceThatTrustsTheCloudsKeyDeliversAndRefusesEverybodyElse has the real bridge sign for a real device,
// while somebody at the broker forges and repeats.
func TestADeviceThatTrustsTheCloudsKeyDeliversAndRefusesEverybodyElse(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if code, out := run(t, "canvas-cloud", "keys", "new", "--out", keys); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	t.Setenv("CANVAS_SIGNING_KEY_FILE", filepath.Join(keys, signed.KeyFile))
	s := newSite(t)
	s.trusted = strconv.Quote(filepath.Join(keys, signed.PublicFile))
	receipts := listen(t, s.mqtt.URL, event.ReceiptsTopic(s.name))
	s.run("")
	load := s.readings(100, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 50 })

	hand, err := mqtt.Dial(t.Context(), mqtt.Options{URL: s.mqtt.URL, ClientID: "hand"})
	if err != nil {
		t.Fatal(err)
	}
	defer hand.Close()
	publish := func(message []byte) {
		t.Helper()
		if err := hand.Publish(t.Context(), event.ReceiptsTopic(s.name), 1, false, message); err != nil {
			t.Fatal(err)
		}
	}
	captured := receipts.payload(event.ReceiptsTopic(s.name))
	s.edge.kill(t) // what was signed before holds no more
	s.run("")
	before := s.must().received
	item, err := event.Receipt{Epoch: s.epoch(), Through: 1_000_000}.Item(s.name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged, err := item.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(captured)
	changed[len(changed)/2] ^= 1
	for _, message := range [][]byte{forged, changed, []byte(captured)} {
		publish(message)
	}
	for _, reason := range []string{"unsigned", "forged", "other_session"} {
		until(t, time.Minute, "a refusal: "+reason, func() bool { return refused(t, s.from, reason) > 0 })
	}
	until(t, 2*time.Minute, "items that are received after that", func() bool { return s.must().received > before+50 })

	query := write(t, filepath.Join(s.dir, "query.json"), `{"id":"q7","scene":"nowhere","tile":"1_1"}`)
	if code, out := run(t, "canvas-cloud", "--config", filepath.Join(s.dir, "cloud.yaml"), "query", s.name, query); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	until(t, time.Minute, "an answer", func() bool {
		return slices.ContainsFunc(s.arrived(), func(i event.Item) bool { return i.Kind == event.Answer && i.Subject == "q7" })
	})
	// Without trusted keys the same device reads the same cloud.
	s.edge.kill(t)
	s.trusted = ""
	s.run("")
	before = s.must().received
	until(t, 2*time.Minute, "items that are received without trusted keys", func() bool { return s.must().received > before+50 })
	load.stop()
	s.balance(time.Minute)
}

// refused is how many messages a device has refused for that reason.
func refused(t testing.TB, at, reason string) int {
	t.Helper()
	answer, err := http.Get("http://" + at + "/metrics") //nolint:noctx // the test's own device
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`canvas_edge_refused_messages_total\{reason="` + reason + `"\} (\d+)`).FindSubmatch(text)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(found[1])))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
