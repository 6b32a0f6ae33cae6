package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// A device's own broker sends again what it was not told to be safe. Where the device's buffer has lost
// what that became, and the cloud has it, it is there once; what the cloud has not is written, also
// where it says the same. The bridge is killed in between.
func TestAMessageThatComesAgainToABufferThatLostItIsThereOnce(t *testing.T) {
	k, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
	kill := child(t, at)
	newEdge(t, at, "greeter").greet(t)

	message := func(packet byte, again bool) event.Item {
		i := item("mast", 1, event.Reading, fmt.Appendf(nil, `{"packet":%d,"time":%d}`, packet, time.Now().UnixNano()))
		i.ID, i.Attrs.Redelivered = event.MessageID(time.Now(), []byte{packet}, []byte("21.5")), again
		return i
	}
	d := newClone(t, at, "mast", "mast", "00000000000000aa", 1)
	d.online()
	for p := range byte(40) {
		d.wait(message(p, false))
	}
	d.drain()
	kill()
	child(t, at)
	d.begin("00000000000000bb")
	d.online()
	for p := byte(30); p < 50; p++ { // of which the cloud has ten
		d.wait(message(p, true))
	}
	d.wait(message(5, false)) // the number was used anew
	d.drain()
	d.wait(message(45, true)) // the device knows that it has not had it in this life
	d.drain()

	have := map[string]int{}
	ranges, err := k.Offsets(t.Context(), event.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		if err := k.Scan(t.Context(), event.EventsTopic, p, r.First, r.End, func(r kafka.Record) error {
			packet, _, _ := strings.Cut(string(r.Value), ",")
			have[packet]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for p := range byte(50) {
		want := 1
		if p == 5 || p == 45 {
			want = 2
		}
		if n := have[fmt.Sprintf(`{"packet":%d`, p)]; n != want {
			t.Errorf("packet %d is there %d times, not %d", p, n, want)
		}
	}
}
