package integration

import (
	"fmt"
	"os"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// TestAPictureThatCrashesAWorkersDecoderIsADeadLetterAfterTwoDeaths has a worker of which systemd takes care, and
// among its pictures one that raises SIGSEGV in C. It builds a worker of its own, which takes a while.
func TestAPictureThatCrashesAWorkersDecoderIsADeadLetterAfterTwoDeaths(t *testing.T) {
	t.Parallel()
	if os.Getenv("CANVAS_SOAK") == "" {
		t.Skip("it builds a program; set CANVAS_SOAK=1. cloud/worker has the same with a worker of the test's own")
	}
	program := faulty(t, "canvas-cloud")
	f := newFleet(t, startBrokers(t))
	k := f.kafka(t)
	topics := []kafka.Topic{}
	for _, name := range []string{event.WorkTopic, event.ResultsTopic, event.EventsTopic, event.DLQTopic} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: 4, Replicas: 1})
	}
	if err := k.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	var records []kafka.Record
	for n := range 12 {
		data := picture(t, 90+n, 70, 9)
		if n == 5 {
			data = killer(t, 1)
		}
		records = append(records, kafka.RecordOf(event.Item{ID: event.NewID(time.Now()), Edge: "mast", Epoch: "e1", Seq: uint64(n + 1), Kind: event.Frame, Stream: "yard",
			Subject: fmt.Sprintf("yard/frame-%d", n), Time: time.Now(), Priority: event.Normal, Attrs: event.Attrs{Want: "nothing that a model is there for"},
			Type: "image/png", SHA256: event.Sum(data), Data: data}))
	}
	until(t, 2*time.Minute, "the pictures in Kafka", func() bool { return k.Append(t.Context(), records...) == nil })

	worker := startAt(t, program, "canvas-cloud", "--config", f.config, "worker", "--id", "worker-1")
	deaths := 0
	until(t, 3*time.Minute, "a letter for each picture", func() bool {
		select {
		case err := <-worker.done:
			if deaths++; deaths > 4 {
				t.Fatalf("death %d: %v\n%s", deaths, err, worker.log.tail(30))
			}
			worker = startAt(t, program, "canvas-cloud", "--config", f.config, "worker", "--id", fmt.Sprint("worker-", deaths+1))
		default:
		}
		return f.count(t, k, event.DLQTopic) >= int64(len(records))
	})
	if deaths != 2 {
		t.Errorf("it died %d times, not twice", deaths)
	}
	deadly := map[string]bool{}
	offsets, err := k.Offsets(t.Context(), event.DLQTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		err := k.Scan(t.Context(), event.DLQTopic, p, o.First, o.End, func(r kafka.Record) error {
			i, err := r.Item()
			for _, h := range r.Headers {
				if string(h.Value) == "cloudcanvas.worker.Deadly" {
					deadly[i.Subject] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(deadly) != 1 || !deadly["yard/frame-5"] {
		t.Errorf("deadly are %v", deadly)
	}
}
