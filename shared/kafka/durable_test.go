package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
)

func TestEmbeddedKafkaSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	var topic string
	for round := range 3 {
		e, err := Embed(dir, EmbedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		k := dialKafka(t, Options{Brokers: e.Brokers()})
		if round == 0 {
			topic = makeTopic(t, k, 2, map[string]string{"max.message.bytes": "30000"})
		}
		if n := len(scanAll(t, k, topic)); n != 10*round {
			t.Errorf("round %d finds %d records", round, n)
		}
		if got, err := k.Committed(t.Context(), "g", topic); err != nil || got[1] != int64(round) {
			t.Errorf("round %d finds the offsets %v, %v", round, got, err)
		}
		if err := k.Commit(t.Context(), "g", topic, 1, int64(round+1)); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := k.Append(t.Context(), Record{Topic: topic, Key: fmt.Append(nil, i), Value: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		k.Close()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoEmbeddedKafkasDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	e, err := Embed(dir, EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Embed(dir, EmbedOptions{}); !errors.Is(err, ErrInUse) {
		second.Close()
		t.Error(err)
	}
	e.Close()
	if e, err = Embed(dir, EmbedOptions{}); err != nil {
		t.Fatal(err)
	}
	e.Close()
}

// The test starts itself as a process of its own, which appends and says so, and is killed.
func TestEmbeddedKafkaKeepsWhatItConfirmedBeforeSIGKILL(t *testing.T) {
	const child = "CANVAS_TEST_KAFKA_DIR"
	if dir := os.Getenv(child); dir != "" {
		appendForever(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	confirmed := -1
	for confirmed < 40 {
		if _, err := fmt.Fscanf(out, "confirmed %d\n", &confirmed); err != nil {
			t.Fatal("the child says nothing more:", err)
		}
	}
	cmd.Process.Kill()
	rest := new(strings.Builder)
	for buf := make([]byte, 4096); ; { // what it said between our last look and its end
		n, err := out.Read(buf)
		rest.Write(buf[:n])
		if err != nil {
			break
		}
	}
	cmd.Wait()
	for line := range strings.Lines(rest.String()) {
		if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "confirmed "), "\n")); err == nil {
			confirmed = n
		}
	}
	e, err := Embed(dir, EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	k := dialKafka(t, Options{Brokers: e.Brokers()})
	defer k.Close()
	if n := len(scanAll(t, k, "kept")); n < confirmed+1 || n > confirmed+2 {
		t.Errorf("%d records were confirmed, %d are there", confirmed+1, n)
	}
}

func appendForever(t *testing.T, dir string) {
	e, err := Embed(dir, EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k := dialKafka(t, Options{Brokers: e.Brokers()})
	if err := k.EnsureTopics(t.Context(), Topic{Name: "kept", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		if err := k.Append(t.Context(), Record{Topic: "kept", Value: make([]byte, 10_000)}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("confirmed %d\n", i)
	}
}

func TestEmbeddedKafkaKeepsRecordsOnDiskNotInMemory(t *testing.T) {
	e, err := Embed(t.TempDir(), EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	k := dialKafka(t, Options{Brokers: e.Brokers()})
	defer k.Close()
	topic := makeTopic(t, k, 2, nil)
	before := heap()
	const size, count = 500_000, 80
	for i := range count {
		if err := k.Append(t.Context(), Record{Topic: topic, Key: fmt.Append(nil, i), Value: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > size*count/4 {
		t.Errorf("%d MB of records take %d MB of memory", size*count>>20, grown>>20)
	} else {
		t.Logf("%d MB of records take %.1f MB of memory", size*count>>20, float64(grown)/(1<<20))
	}
	n := 0
	for p := range 2 {
		if err := k.Scan(t.Context(), topic, p, 0, 1<<40, func(r Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n != count {
		t.Errorf("%d of %d records come back", n, count)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // the second empties the pools that the first has aged
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAppendAndReadOutliveKafkasSIGKILL(t *testing.T) {
	if testing.Short() {
		t.Skip("it restarts Kafka, which takes seconds")
	}
	broker := brokertest.StartOwnKafka(t)
	k := dialKafka(t, Options{Brokers: broker.Brokers})
	defer k.Close()
	topic := makeTopic(t, k, 1, nil)
	got := make(chan Record, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- k.Read(ctx, topic, 0, 0, func(batch []Record) error {
			for _, r := range batch {
				got <- r
			}
			return nil
		})
	}()
	defer func() { cancel(); <-ended }()
	say := func(ctx context.Context, text string) error {
		return k.Append(ctx, Record{Topic: topic, Value: []byte(text)})
	}
	if err := say(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	await(t, got, "the record before")
	broker.Kill()
	var failed *AppendError
	if err := say(soon(t, 300*time.Millisecond), "during"); !errors.As(err, &failed) || failed.Outcomes[0] == Confirmed {
		t.Fatal(err)
	}
	// While nobody listens, it is sure that nothing was written.
	if err := say(soon(t, 300*time.Millisecond), "during"); !errors.As(err, &failed) {
		t.Fatal(err)
	}
	broker.Restart(t)
	for say(t.Context(), "after") != nil { // the first may still meet the old connection's end
	}
	for {
		if r := await(t, got, "the record after the restart"); string(r.Value) == "after" {
			return
		}
	}
}
