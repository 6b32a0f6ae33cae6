package broker

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDeadLetterSpeaksAsKafkaConnectDoes(t *testing.T) {
	l := DeadLetter{Topic: "canvas.work", Partition: 3, Offset: 12, Connector: "canvas-worker", Stage: StageConvert,
		Class: "worker", Exception: "worker.Unreadable", Reason: "bad \xff " + strings.Repeat("é", maxDeadReason)}
	got := map[string]string{}
	for _, h := range l.Headers() {
		if !strings.HasPrefix(h.Key, "__connect.errors.") || !utf8.Valid(h.Value) {
			t.Errorf("header %s: %.40q", h.Key, h.Value)
		}
		got[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{DeadTopic: "canvas.work", DeadPartition: "3", DeadOffset: "12", DeadTask: "3", DeadStage: "VALUE_CONVERTER", DeadException: "worker.Unreadable"} {
		if got[key] != want {
			t.Errorf("%s is %q, not %q", key, got[key], want)
		}
	}
	if n := len(got[DeadReason]); n > maxDeadReason+len("…") || !strings.HasPrefix(got[DeadReason], "bad � ") {
		t.Errorf("the reason has %d bytes: %.20q", n, got[DeadReason])
	}
}
