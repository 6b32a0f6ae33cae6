package edge

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
)

// agent is one with no sources, over a broker on loopback.
func agent(t *testing.T) *Agent {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	mqtt, err := mqtt.Embed(mqtt.EmbedOptions{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mqtt.Close() })
	c := DefaultConfig()
	c.Edge, c.Data, c.Cloud.URL, c.Attempts.Notes = "mast", t.TempDir(), mqtt.URL(), t.TempDir()
	models, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), c, Parts{Models: models, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// moves says whether every loop comes round between two looks, which are further apart each time: what
// hangs does not move however long it is given.
func moves(t *testing.T, a *Agent) bool {
	t.Helper()
	a.liveness.Alive()
	for between := ledgerEvery + 500*time.Millisecond; between < time.Minute; between *= 2 {
		time.Sleep(between)
		if a.liveness.Alive() {
			return true
		}
	}
	return false
}

func TestTheWatchdogOfAnIdleAgentIsFed(t *testing.T) {
	t.Parallel()
	a := agent(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if !moves(t, a) {
		t.Error("an agent with nothing to do is taken for a hung one")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheWatchdogIsNotFedWhileAnInputHangsInNativeCode(t *testing.T) {
	t.Parallel()
	a := agent(t)
	done, err := a.attempts.Begin(t.Context(), crashguard.Input{Source: "gate", Name: "frame 7", Key: "7"})
	if err != nil {
		t.Fatal(err)
	}
	a.liveness.Alive()
	if a.liveness.Alive() {
		t.Error("fed although an input hangs")
	}
	done()
	if !a.liveness.Alive() {
		t.Error("not fed although nothing hangs any more")
	}
}

func TestTheWatchdogIsNotFedWhileAPipelineHangs(t *testing.T) {
	t.Parallel()
	a := agent(t)
	l := &cameraPipeline{name: "gate", probe: a.liveness.Probe("gate"), screen: a.config.Screen.Camera()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.take(ctx, capture.Picture{Last: true}) }() // nobody takes its frames
	for a.liveness.Alive() {
	}
	if a.liveness.Alive() {
		t.Error("fed although a pipeline hangs")
	}
	cancel()
	<-ended
	if !a.liveness.Alive() {
		t.Error("not fed although the pipeline has ended")
	}
}

func TestTheWatchdogIsFedWhileAPipelineWaitsForRoomInTheOutbox(t *testing.T) {
	t.Parallel()
	a := agent(t)
	c := outbox.DefaultConfig()
	c.QuotaBytes, c.QuotaRows = 1<<20, 100
	box, err := outbox.Open(t.TempDir(), "mast", c, a.log)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	a.outbox.Close()
	a.outbox = box
	l := &cameraPipeline{cameraParts: a.cameraParts(), name: "survey", probe: a.liveness.Probe("survey")}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		defer l.probe.Work()()
		for {
			if err := l.put(ctx, draft{Draft: outbox.Draft{Kind: "reading", Stream: "survey", Data: make([]byte, 200<<10)}}); err != nil {
				ended <- err
				return
			}
		}
	}()
	for box.Stats().Bytes < 1000<<10 {
		time.Sleep(time.Millisecond) // until it is full
	}
	for range 3 {
		if !a.liveness.Alive() {
			t.Error("a pipeline that waits for room is taken for a hung one")
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
	cancel()
	<-ended
}

func TestTheWatchdogIsNotFedWhileTheOutboxHangs(t *testing.T) {
	t.Parallel()
	a := &Agent{log: slog.New(slog.DiscardHandler)}
	asked, release, ended := make(chan struct{}, 100), make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		a.expire(ctx, func(context.Context) (int, error) { asked <- struct{}{}; <-release; return 0, nil })
	}()
	<-asked
	if a.liveness.Alive(); a.liveness.Alive() {
		t.Error("fed although the outbox does not answer")
	}
	close(release)
	for !a.liveness.Alive() {
	}
	cancel()
	<-ended
}

// TestAFullBufferIsNoHungOne has drops to report and no room for the report, for as long as the link
// is down: a restart would not help it.
func TestAFullBufferIsNoHungOne(t *testing.T) {
	t.Parallel()
	a := agent(t)
	c := outbox.DefaultConfig()
	c.QuotaBytes, c.QuotaRows = 1<<20, 100
	box, err := outbox.Open(t.TempDir(), "mast", c, a.log)
	if err != nil {
		t.Fatal(err)
	}
	a.outbox.Close()
	a.outbox = box
	for range 150 {
		if answer := <-box.Submit(t.Context(), outbox.Draft{Kind: "reading", Stream: "boiler", Data: []byte("1")}); answer.Err != nil {
			t.Fatal(answer.Err)
		}
	}
	a.link.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	moves(t, a)
	if !moves(t, a) {
		t.Error("a full buffer is taken for a hung one")
	}
	cancel()
	<-ended
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
