package deadletter

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestADeadLetterSpeaksAsKafkaConnectDoes(t *testing.T) {
	l := Cause{Topic: "canvas.work", Partition: 3, Offset: 12, Connector: "canvas-worker", Stage: StageConvert,
		Class: "worker", Exception: "worker.Unreadable", Reason: "bad \xff " + strings.Repeat("é", maxReason)}
	got := map[string]string{}
	for _, h := range l.Headers() {
		if !strings.HasPrefix(h.Key, "__connect.errors.") || !utf8.Valid(h.Value) {
			t.Errorf("header %s: %.40q", h.Key, h.Value)
		}
		got[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{HeadTopic: "canvas.work", HeadPartition: "3", HeadOffset: "12", HeadTask: "3", HeadStage: "VALUE_CONVERTER", HeadException: "worker.Unreadable"} {
		if got[key] != want {
			t.Errorf("%s is %q, not %q", key, got[key], want)
		}
	}
	if n := len(got[HeadReason]); n > maxReason+len("…") || !strings.HasPrefix(got[HeadReason], "bad � ") {
		t.Errorf("the reason has %d bytes: %.20q", n, got[HeadReason])
	}
}
