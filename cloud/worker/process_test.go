package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// childSettings, in this variable, make the test program a worker process: one that tests kill.
const childVariable = "CANVAS_TEST_WORKER"

// childSettings are what such a process is told.
type childSettings struct {
	ID         string
	Kafka      []string
	ZooKeeper  []string
	Root       string
	Session    time.Duration
	Partitions int
	Speed      float64 // items/s
	Batch      int
	Attempts   string // folder of their ledgers
	Group      string // control group of theirs, with little memory; empty: none
	Between    string // a pipeline of two steps; the first time, the second kills the worker and leaves this file
}

func TestMain(m *testing.M) {
	if settings := os.Getenv(childVariable); settings != "" {
		if err := child(settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is a whole worker process over real services. Its decoder kills it where an item says so, as
// native code would.
func child(settings string) error {
	var s childSettings
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return err
	}
	if s.Group != "" {
		if err := os.WriteFile(filepath.Join(s.Group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", s.ID)
	k, err := kafka.Dial(kafka.Options{Brokers: s.Kafka, Log: log})
	if err != nil {
		return err
	}
	defer k.Close()
	c, err := zk.Open(zk.Config{Servers: s.ZooKeeper, Root: s.Root, SessionTimeout: s.Session}, s.ID, log)
	if err != nil {
		return err
	}
	defer c.Close()
	w := newWorld()
	var catalogue Catalogue = w
	cfg := Config{BatchItems: s.Batch, Prefetch: 4 * s.Batch, Models: []Choice{{Want: "segment", Model: "six"}}}
	if s.Between != "" {
		catalogue, cfg.Models, cfg.Pipelines = between(s.Between), nil, twoSteps
	}
	registry, err := NewRegistry(cfg, slow{catalogue, s.Speed})
	if err != nil {
		return err
	}
	queue := KafkaGroup(k)
	ledger, err := crashguard.OpenFree(s.Attempts, "worker", crashguard.DefaultConfig(), log)
	if err != nil {
		return err
	}
	defer ledger.Close()
	defer context.AfterFunc(ctx, ledger.Stopping)()
	worker, err := New(cfg, Parts{
		Attempts: ledger, ExitReports: c.Document(ExitReportsDocument),
		Queue: queue, Results: KafkaResults{Log: k}, Dead: queue, Decoder: deadly{w}, Models: registry, Leases: c, Assignments: Assigned{c, s.ID}, Log: log,
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return Join(ctx, c, coord.Member{ID: s.ID, Role: coord.Worker}, registry, log) })
	group.Go(func() error {
		return assign.Lead(ctx, c, map[string]int{event.WorkTopic: s.Partitions}, assign.Config{Rebalance: time.Second, Tolerance: 0.1}, log, assign.Hooks{})
	})
	group.Go(func() error { return worker.Run(ctx) })
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// deadly is a decoder that dies of some items.
type deadly struct{ *world }

func (d deadly) Decode(media string, data []byte) (Picture, error) {
	switch string(data[4:]) {
	case "SIGSEGV":
		syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "memory":
		var held [][]byte
		for {
			//lint:ignore SA4010 it is there to take memory
			held = append(held, bytes.Repeat([]byte{1}, 8<<20))
		}
	}
	return d.world.Decode(media, data)
}

// cluster is real Kafka and ZooKeeper, and worker processes over them.
type cluster struct {
	t        *testing.T
	kafka    *kafka.Client
	settings childSettings
	zk       *zk.Coordinator // the test's own view

	made   int             // items so far
	before map[string]bool // what was found before this scenario
}

// shortSession is what the tests' ZooKeeper grants at least, and as short as a busy machine bears.
const shortSession = 2 * time.Second

func startCluster(t *testing.T, partitions int) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts Kafka, ZooKeeper and worker processes")
	}
	broker, zookeeper := brokertest.StartOwnKafka(t), brokertest.StartZooKeeper(t, 1)
	c := &cluster{t: t, settings: childSettings{
		Attempts: t.TempDir(), Kafka: broker.Brokers, ZooKeeper: zookeeper.Servers, Root: "/canvas", Session: shortSession, Partitions: partitions, Speed: 200, Batch: 4,
	}}
	var err error
	if c.kafka, err = kafka.Dial(kafka.Options{Brokers: broker.Brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kafka.Close)
	err = c.kafka.EnsureTopics(t.Context(), kafka.Topic{Name: event.WorkTopic, Partitions: partitions},
		kafka.Topic{Name: event.ResultsTopic, Partitions: 1}, kafka.Topic{Name: event.DLQTopic, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{event.WorkTopic, event.ResultsTopic, event.DLQTopic} {
		c.until(2*time.Minute, "a leader of "+topic, func() bool { _, err := c.kafka.Offsets(t.Context(), topic); return err == nil })
	}
	if c.zk, err = zk.Open(zk.Config{Servers: zookeeper.Servers, SessionTimeout: 10 * time.Second}, "test", nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.zk.Close() })
	return c
}

// scenario runs one on the same services: with workers and items of its own.
func (c *cluster) scenario(t *testing.T, name string, run func(t *testing.T, c *cluster)) {
	t.Run(name, func(t *testing.T) {
		one := *c
		one.t, one.before = t, map[string]bool{}
		subjects, _ := one.found()
		for _, s := range subjects {
			one.before[s] = true
		}
		run(t, &one)
		c.made = one.made
	})
}

// put writes items whose data is mood(n) for n from 0, and gives the subject of the first.
func (c *cluster) put(items int, mood func(n int) string) (first int) {
	c.t.Helper()
	first = c.made
	c.made += items
	var records []kafka.Record
	for n := range items {
		records = append(records, kafka.RecordOf(tile(first+n, mood(n))))
	}
	if err := c.kafka.Append(c.t.Context(), records...); err != nil {
		c.t.Fatal(err)
	}
	return first
}

func healthy(int) string { return "" }

// found are this scenario's results, by subject, in the order in which Kafka has them.
func (c *cluster) found() (subjects []string, at []time.Time) {
	c.t.Helper()
	for _, r := range all(c.t, c.kafka, event.ResultsTopic) {
		item, err := r.Item()
		if err != nil {
			c.t.Fatal(err)
		}
		if !c.before[item.Subject] {
			subjects, at = append(subjects, item.Subject), append(at, r.Time)
		}
	}
	return subjects, at
}

// counted are the distinct results, and how many records there are beyond them.
func (c *cluster) counted() (distinct, doubled int) {
	subjects, _ := c.found()
	seen := map[string]bool{}
	for _, s := range subjects {
		seen[s] = true
	}
	return len(seen), len(subjects) - len(seen)
}

// until waits for something that can only be asked for again and again.
func (c *cluster) until(limit time.Duration, what string, met func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(limit); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

// owned is how many partitions each worker owns.
func (c *cluster) owned() map[string]int {
	c.t.Helper()
	owners, err := c.zk.Owners(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	n := map[string]int{}
	for what, o := range owners {
		if strings.HasPrefix(what, event.WorkTopic) {
			n[o.Member]++
		}
	}
	return n
}

// workerProcess is a running child.
type workerProcess struct {
	id    string
	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{}
}

// start starts a worker process; change may change its settings.
func (c *cluster) start(id string, change ...func(*childSettings)) *workerProcess {
	c.t.Helper()
	s := c.settings
	s.ID = id
	for _, each := range change {
		each(&s)
	}
	settings, err := json.Marshal(s)
	if err != nil {
		c.t.Fatal(err)
	}
	p := &workerProcess{id: id, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(settings))
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	c.t.Cleanup(func() {
		// In good order, so that no partition is under suspicion in the next scenario.
		p.signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(2 * time.Minute):
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
		if c.t.Failed() {
			log := p.log.String()
			c.t.Logf("== %s: %v\n%s", p.id, p.cmd.ProcessState, log[max(0, len(log)-4000):])
		}
	})
	return p
}

func (p *workerProcess) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// supervised starts a worker again whenever it dies, as systemd does, until the test ends. It gives
// how often it has died.
func (c *cluster) supervised(id string) (deaths func() int) {
	deaths, _ = c.kept(id)
	return deaths
}

// kept is supervised, and gives a way to kill the one that runs.
func (c *cluster) kept(id string) (deaths func() int, kill func()) {
	var mu sync.Mutex
	n := 0
	ctx := c.t.Context() // it ends before the processes are ended
	var over sync.WaitGroup
	p := c.start(id)
	running := func() *workerProcess {
		mu.Lock()
		defer mu.Unlock()
		return p
	}
	over.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-running().ended:
			}
			if ctx.Err() != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			again := c.start(id)
			mu.Lock()
			p = again
			mu.Unlock()
		}
	})
	c.t.Cleanup(over.Wait)
	deaths = func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
	return deaths, func() { running().signal(syscall.SIGKILL) }
}
