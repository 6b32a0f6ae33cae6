package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// putDead sets an item of canvas.work aside, as a worker does.
func (w *world) putDead(n int) {
	w.Helper()
	data := fmt.Appendf(nil, "tile %d", n)
	r := kafka.RecordOf(event.Item{ID: event.NewID(w.start), Edge: "mast-7", Epoch: "00ff00ff00ff00ff", Seq: uint64(n + 1), Kind: event.Tile, Stream: "s", Subject: "s/0_0", Time: w.start,
		Attrs: event.Attrs{Scene: "s", Tile: "0_0", Want: "segment"}, Type: "image/tiff", SHA256: event.Sum(data), Data: data})
	r.Topic, r.Time = event.DLQTopic, time.Time{}
	r.Headers = append(r.Headers, deadletter.Cause{Topic: event.WorkTopic, Connector: "canvas-worker", Stage: deadletter.StageTransform, Exception: "worker.Memory", Reason: "no memory"}.Headers()...)
	if err := w.log.Append(context.Background(), r); err != nil {
		w.Fatal(err)
	}
}

// decide asks the console for something.
func (w *world) decide(offset int, action string) int {
	w.Helper()
	return w.post(fmt.Sprintf("/letters/0/%d", offset), url.Values{"action": {action}}, nil).StatusCode
}

func place(n int64) deadletter.Place { return deadletter.Place{Offset: n} }

func (w *world) handled(offset int) *auth.Act {
	w.Helper()
	var l decisions.DeadLetter
	w.json(fmt.Sprintf("/api/v1/letters/0/%d", offset), &l)
	return l.Handled
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
	}
}

func (w *world) inWork() int {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return len(w.log.topics[event.WorkTopic])
}

// The four cases of two owners that did not know of each other.

func TestWhatTheConsoleDiscardsTheCommandDoesNotPutBack(t *testing.T) {
	w := newWorld(t, nil)
	w.putDead(0)
	w.caughtUp()
	if got := w.decide(0, "discard"); got != http.StatusSeeOther {
		t.Fatal(got)
	}
	outcomes, err := w.command("otto").Replay(t.Context(), place(0))
	if err != nil || outcomes[0].State != deadletter.Refused || !strings.Contains(outcomes[0].Why, "discarded by operator on this machine") || w.inWork() != 0 {
		t.Errorf("%+v %v, %d in work", outcomes, err, w.inWork())
	}
}

func TestADeadLetterGoesBackOnceWhoeverAsksAndHoweverOften(t *testing.T) {
	w := newWorld(t, nil)
	w.putDead(0)
	w.caughtUp()
	for range 2 {
		if got := w.decide(0, "replay"); got != http.StatusSeeOther {
			t.Fatal(got)
		}
	}
	outcomes, err := w.command("otto").Replay(t.Context(), place(0))
	if err != nil || outcomes[0].State != deadletter.Already {
		t.Errorf("%+v %v", outcomes, err)
	}
	if n := w.inWork(); n != 1 {
		t.Fatalf("canvas.work holds it %d times", n)
	}
	back := w.log.topics[event.WorkTopic][0]
	if string(back.Value) != "tile 0" || deadletter.Header(back.Headers, deadletter.HeadReplay) == "" || deadletter.Header(back.Headers, deadletter.HeadReason) != "" {
		t.Errorf("%+v", back)
	}
}

func TestWhatTheCommandDecidesTheConsoleShows(t *testing.T) {
	w := newWorld(t, nil)
	w.putDead(0)
	w.putDead(1)
	w.caughtUp()
	if _, err := w.command("otto").Replay(t.Context(), place(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.command("otto").Discard(t.Context(), place(1)); err != nil {
		t.Fatal(err)
	}
	w.eventually("both are shown as decided", func() bool { return w.handled(0) != nil && w.handled(1) != nil })
	if a, b := w.handled(0), w.handled(1); a.Who != "otto" || a.Action != "replay" || a.Time.IsZero() || b.Action != "discard" {
		t.Errorf("%+v %+v", a, b)
	}
	if n, err := w.console.decisions.Undecided(t.Context()); err != nil || n != 0 {
		t.Errorf("%d dead letters wait for a decision, %v", n, err)
	}
	if _, page := w.get("/letters"); !strings.Contains(page, "replay by otto") || !strings.Contains(page, "otto: discard dead letter 0-1") {
		t.Errorf("the page says %s", page)
	}
}

func TestADeadLetterThatCameOverMQTTGoesBackFromBothWhereItCan(t *testing.T) {
	w := newWorld(t, nil)
	i := w.putJSON(event.Reading, "wind", "wind", w.start, event.Attrs{}, event.ReadingData{Sensor: "wind"})
	w.log.mu.Lock()
	w.log.topics[event.EventsTopic] = nil
	w.log.mu.Unlock()
	payload, err := i.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	other := i
	other.ID, other.Seq = event.NewID(w.start), 77
	second, err := other.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range [][]byte{payload, second, []byte("junk")} {
		w.putDeadLetter("canvas/v1/mast-7/up/2/reading", value, "Kafka refused it")
	}
	w.caughtUpDeadLetters(3)
	if got := w.decide(0, "replay"); got != http.StatusSeeOther {
		t.Error(got)
	}
	if got := w.decide(2, "replay"); got != http.StatusConflict {
		t.Errorf("junk: %d", got)
	}
	outcomes, err := w.command("otto").Replay(t.Context(), place(0), place(1), place(2))
	if err != nil || outcomes[0].State != deadletter.Already || outcomes[1].State != deadletter.Refused || outcomes[2].State != deadletter.Replayed {
		t.Errorf("%+v %v", outcomes, err)
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if n := len(w.log.topics[event.EventsTopic]); n != 2 {
		t.Errorf("%d records in canvas.events, want 2", n)
	}
}

// caughtUpLetters waits until the index shows so many.
func (w *world) caughtUpDeadLetters(n int) {
	w.eventually("the dead letters are shown", func() bool {
		var all list[decisions.DeadLetter]
		w.json("/api/v1/letters", &all)
		return len(all.Items) == n
	})
}

func TestTheAuditOfAnEarlierProgramComesIntoTheBook(t *testing.T) {
	w := newWorld(t, nil)
	for n := range 4 {
		w.putDead(n)
	}
	w.caughtUp()
	w.stop()
	var lines strings.Builder
	for n, action := range []string{"discard", "replay", "replay", "discard"} {
		l := index.DeadLetter{Offset: int64(n), Heard: w.log.topics[event.DLQTopic][n].Time.Truncate(time.Millisecond).UTC()}
		if n == 3 { // of another Kafka that stood where this one stands
			l.Heard = l.Heard.Add(-time.Hour)
		}
		name := fmt.Sprintf("canvas.dlq-0@%d of %s", n, l.Heard.Format(time.RFC3339Nano))
		act, err := json.Marshal(auth.Act{Time: w.start, Who: "vera", Action: action, What: name})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", act)
		if n == 2 {
			failed, _ := json.Marshal(auth.Act{Time: w.start, Who: "vera", Action: decisions.Replay + auth.Failed, What: name})
			fmt.Fprintf(&lines, "%s\n", failed)
		}
	}
	if err := os.WriteFile(filepath.Join(w.config.Data, "audit.jsonl"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run()
	group := w.space.Coordinator("otto")
	w.eventually("the book has them", func() bool {
		k, err := deadletter.ReadDecisions(t.Context(), group.Document(deadletter.DecisionsName))
		return err == nil && k.Of(place(0), time.Time{}) != nil && k.Of(place(1), time.Time{}) != nil
	})
	outcomes, err := w.command("otto").Replay(t.Context(), place(0), place(1), place(2), place(3))
	if err != nil {
		t.Fatal(err)
	}
	got := map[deadletter.Place]string{}
	for _, o := range outcomes {
		got[o.Place] = o.State
	}
	if got[place(0)] != deadletter.Refused || got[place(1)] != deadletter.Already || got[place(2)] != deadletter.Replayed || got[place(3)] != deadletter.Replayed {
		t.Errorf("%v", got)
	}
}

func TestDecisionsOutliveTheConsole(t *testing.T) {
	w := newWorld(t, nil)
	w.putDead(0)
	w.putDead(1)
	w.caughtUp()
	w.decide(0, "replay")
	w.decide(1, "discard")
	if got := w.decide(0, "eat"); got != http.StatusBadRequest {
		t.Errorf("an unknown action: %d", got)
	}
	if got := w.decide(0, "discard"); got != http.StatusConflict {
		t.Errorf("discarding what was put back: %d", got)
	}
	w.stop()
	w.run()
	w.caughtUp()
	w.eventually("both are decided", func() bool { return w.handled(0) != nil && w.handled(1) != nil })
}

func TestADeadLetterWhoseReplayFailedWaitsAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.putDead(0)
	w.caughtUp()
	w.log.setFull(true)
	if got := w.decide(0, "replay"); got != http.StatusServiceUnavailable {
		t.Error(got)
	}
	if act := w.console.audit.Latest(1)[0]; w.handled(0) != nil || act.Action != decisions.Replay+auth.Failed {
		t.Errorf("%+v, audit %+v", w.handled(0), act)
	}
	w.log.setFull(false)
	if got := w.decide(0, "replay"); got != http.StatusSeeOther || w.inWork() != 1 {
		t.Errorf("%d, %d in work", got, w.inWork())
	}
}

func TestADeviceIsShutOutFromThePage(t *testing.T) {
	file, viewer, operator := letIn(t)
	w := newWorld(t, func(c *Config) { c.TokensFile = file })
	w.putDead(0)
	w.putDead(1)
	ask := func(token, method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	w.eventually("the sources are counted", func() bool {
		_, text := ask(viewer, "GET", "/api/v1/letters/sources", "")
		return strings.Contains(text, `"edge":"mast-7","class":"worker.Memory","letters":2`)
	})
	if got, _ := ask(viewer, "POST", "/api/v1/edges/blocked", `{"edge":"mast-7","action":"block"}`); got != http.StatusForbidden {
		t.Errorf("a viewer blocks: %d", got)
	}
	if got, text := ask(operator, "POST", "/api/v1/edges/blocked", `{"edge":"mast-7","action":"block","reason":"floods"}`); got != http.StatusOK || !strings.Contains(text, `"by":"otto"`) {
		t.Errorf("an operator: %d %s", got, text)
	}
	l, err := blocklist.Read(t.Context(), w.space.Coordinator("bridge"))
	if err != nil || !l.Has("mast-7") || l["mast-7"].Reason != "floods" {
		t.Errorf("%+v %v", l, err)
	}
	if _, page := ask(operator, "GET", "/letters", ""); !strings.Contains(page, "mast-7 is blocked by otto") || !strings.Contains(page, "Unblock mast-7") {
		t.Errorf("the page says %s", page)
	}
	if got, _ := ask(operator, "POST", "/api/v1/edges/blocked", `{"edge":"mast-7","action":"unblock"}`); got != http.StatusOK {
		t.Error(got)
	}
	if got, _ := ask(operator, "POST", "/api/v1/edges/blocked", `{"edge":"mast-7","action":"eat"}`); got != http.StatusBadRequest {
		t.Error(got)
	}
	if l, err := blocklist.Read(t.Context(), w.space.Coordinator("bridge")); err != nil || l.Has("mast-7") {
		t.Errorf("%+v %v", l, err)
	}
}
