package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// halfLog confirms every second record at first.
type halfLog struct {
	Log
	sizes   []int
	records []kafka.Record
}

func (l *halfLog) Append(_ context.Context, records ...kafka.Record) error {
	l.sizes, l.records = append(l.sizes, len(records)), records
	if len(l.sizes) > 1 {
		return nil
	}
	return &kafka.AppendError{
		Outcomes: []kafka.Outcome{kafka.Confirmed, kafka.Unknown, kafka.Confirmed, kafka.Refused}, Errs: make([]error, 4),
	}
}

func TestOnlyWhatKafkaDidNotConfirmIsWrittenAgain(t *testing.T) {
	l := &halfLog{}
	if err := Append(t.Context(), l, make([]kafka.Record, 4)); err != nil {
		t.Fatal(err)
	}
	if want := "[4 2]"; fmt.Sprint(l.sizes) != want {
		t.Fatalf("appended %v records, want %s", l.sizes, want)
	}
}

func TestADeadLetterIsTheRecordAsItCameWithTheReason(t *testing.T) {
	l := &halfLog{sizes: []int{0}}
	e := Entry{Topic: "canvas.work", Partition: 3, Offset: 12, Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "ce_id", Value: []byte("1")}}}
	g := Group{Log: l, Name: "canvas-worker", Service: "cloudcanvas/cloud/worker"}
	if err := g.Reject(t.Context(), DeadLetter{Entry: e, Stage: deadletter.StageConvert, Class: "cloudcanvas.worker.Undecodable", Err: errors.New("not a TIFF file")}); err != nil {
		t.Fatal(err)
	}
	r := l.records[0]
	if r.Topic != event.DLQTopic || !bytes.Equal(r.Key, e.Key) || !bytes.Equal(r.Value, e.Value) || r.Headers[0].Key != "ce_id" || len(e.Headers) != 1 {
		t.Errorf("the record was changed: %+v", r)
	}
	for key, want := range map[string]string{
		deadletter.HeadTopic: "canvas.work", deadletter.HeadPartition: "3", deadletter.HeadOffset: "12", deadletter.HeadConnector: "canvas-worker",
		deadletter.HeadClass: "cloudcanvas/cloud/worker", deadletter.HeadException: "cloudcanvas.worker.Undecodable", deadletter.HeadReason: "not a TIFF file",
	} {
		if got := deadletter.Header(r.Headers, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := entryOf(r); got.Reason != "not a TIFF file" || got.Err == nil {
		t.Errorf("it is read as %+v", got)
	}
}
