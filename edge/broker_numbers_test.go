package edge

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// numbered is what a broker sends first: so many messages from that number on.
func (b *brokerNumbers) numbered(from, n int) {
	for i := range n {
		b.take(uint16((from+i-1)%packetNumbers + 1))
	}
}

func TestABrokerThatStartsFromAnOlderSaveIsTold(t *testing.T) {
	var said bytes.Buffer
	b := &brokerNumbers{log: slog.New(slog.NewTextHandler(&said, nil))}
	b.sessionStarted(false)
	b.numbered(1, 500)
	b.sessionStarted(true) // the link broke
	b.numbered(501, 100)
	b.sessionStarted(true) // it sent 31 messages after its save
	b.numbered(570, 10)
	if b.times() != 1 || !strings.Contains(said.String(), "sent_since_that_save=31") {
		t.Errorf("%d times: %s", b.times(), &said)
	}
	b.numbered(580, 200)
	b.sessionStarted(true)
	b.numbered(779, 1)
	if b.times() != 2 {
		t.Errorf("the last message alone: %d times", b.times())
	}
}

func TestABrokerThatGoesOnIsNotSaidToGoBack(t *testing.T) {
	for name, live := range map[string]func(*brokerNumbers){
		"begins again at 1 after its last number": func(b *brokerNumbers) {
			b.numbered(packetNumbers-300, 400)
			b.sessionStarted(true)
			b.numbered(100, 200)
		},
		"forgot the session, which is told elsewhere": func(b *brokerNumbers) {
			b.numbered(1, 500)
			b.sessionStarted(false)
			b.numbered(1, 500)
		},
		"takes the lowest number that is free": func(b *brokerNumbers) {
			for range 3 {
				b.numbered(1, 300) // as many are on their way at once
			}
			b.sessionStarted(true)
			b.numbered(1, 300)
		},
		"takes one number again and again": func(b *brokerNumbers) {
			for range 200 {
				b.take(1)
			}
			b.sessionStarted(true)
			b.take(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			b := &brokerNumbers{log: slog.New(slog.NewTextHandler(&said, nil))}
			b.sessionStarted(false)
			if live(b); b.times() != 0 {
				t.Errorf("%s", &said)
			}
		})
	}
}

// TestAPowerCutTakesTheBrokerBackAndTheAgentKnows: both start anew, the broker from its save.
func TestAPowerCutTakesTheBrokerBackAndTheAgentKnows(t *testing.T) {
	buf, values := &fakeBuffer{}, make([]float64, 300)
	for i := range values {
		values[i] = float64(i)
	}
	if err := newSensorPipeline(buf, nil, &captureRequests{}, quiet).run(t.Context(), batches(heard(1, false, values...))); err != nil {
		t.Fatal(err)
	}
	for from, times := range map[uint16]int64{301: 0, 281: 1} {
		l := newSensorPipeline(buf, nil, &captureRequests{}, quiet)
		l.seen.sessionStarted(true)
		l.numbers.sessionStarted(true)
		if err := l.run(t.Context(), batches(heard(from, false, -1))); err != nil {
			t.Fatal(err)
		}
		if l.numbers.times() != times {
			t.Errorf("from %d: %d times, want %d", from, l.numbers.times(), times)
		}
	}
}
