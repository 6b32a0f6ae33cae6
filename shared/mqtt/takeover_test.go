package mqtt

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhoseClientIDIsTakenSaysSoOnceAndBacksOff(t *testing.T) {
	server, err := Embed(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var clients []*Client
	var lines [2]<-chan string
	for i := range lines { // a card that was copied
		var log *slog.Logger
		log, lines[i] = captured()
		m, err := Dial(t.Context(), Options{URL: server.URL(), ClientID: "gate", Log: log})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		clients = append(clients, m)
	}
	deadline := time.After(2 * time.Minute)
	for reported := false; !reported; {
		var line string
		select {
		case line = <-lines[0]:
		case line = <-lines[1]:
		case <-deadline:
			t.Fatal("nobody says it")
		}
		reported = strings.Contains(line, "another client with the id gate took the connection")
	}
	if !strings.Contains(clients[0].Problem()+clients[1].Problem(), "another client with the id gate") {
		t.Errorf("the state is %q and %q", clients[0].Problem(), clients[1].Problem())
	}
}

func TestATakenConnectionIsDistinguishedFromOthersThatEnd(t *testing.T) {
	reset := fmt.Errorf("read: %w", syscall.ECONNRESET)
	for name, c := range map[string]struct {
		lasted   time.Duration
		why      error
		underway bool
		away     bool // between two of them the broker could not be reached
		taken    bool
	}{
		"soon, nothing under way":         {5 * time.Second, io.EOF, false, false, true},
		"after the other's backoff":       {time.Minute, reset, false, false, true},
		"lasting":                         {time.Hour, io.EOF, false, false, false},
		"a publish that is not liked":     {time.Second, io.EOF, true, false, false},
		"no answer to a ping":             {time.Minute, errors.New("pingresp not received"), false, false, false},
		"a broker that starts and starts": {time.Second, io.EOF, false, true, false},
	} {
		var k takeovers
		taken := false
		for range 4 {
			if c.away {
				k.away()
			}
			taken = k.ended(c.lasted, c.why, c.underway)
		}
		if taken != c.taken {
			t.Errorf("%s: taken %v", name, taken)
		}
	}
}
