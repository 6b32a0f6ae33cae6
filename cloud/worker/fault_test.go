package worker

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/soak"
)

// TestWorkersOfAClusterDie runs worker processes over real Kafka and ZooKeeper and ends them in every
// way that there is.
func TestWorkersOfAClusterDie(t *testing.T) {
	c := startCluster(t, 4)
	// The first one: after a death what may have been in hand is under suspicion, and a worker that is
	// killed over it again buries it.
	c.scenario(t, "killed between the steps of a pipeline", func(t *testing.T, c *cluster) {
		c.settings.Between = filepath.Join(t.TempDir(), "died")
		const items = 60
		c.put(items, healthy)
		one, two := c.supervised("one"), c.supervised("two")
		c.until(2*time.Minute, "all done", func() bool { return backlog(t, c.kafka) == 0 })
		if distinct, doubled := c.counted(); distinct != items || doubled != 0 {
			t.Errorf("%d results of %d items, %d more than once", distinct, items, doubled)
		}
		if n := one() + two(); n != 1 {
			t.Errorf("%d workers died, want one", n)
		}
	})
	c.scenario(t, "killed", func(t *testing.T, c *cluster) {
		takesOver(t, c, syscall.SIGKILL, shortSession+time.Second)
	})
	c.scenario(t, "stopped cleanly", func(t *testing.T, c *cluster) {
		takesOver(t, c, syscall.SIGTERM, time.Second)
	})
	c.scenario(t, "frozen", frozenWritesNothing)
	c.scenario(t, "an item kills them by SIGSEGV", func(t *testing.T, c *cluster) { itemKills(t, c, "SIGSEGV") })
	c.scenario(t, "an item takes all their memory", func(t *testing.T, c *cluster) {
		c.settings.Group = littleMemory(t)
		itemKills(t, c, "memory")
	})
	c.scenario(t, "killed again and again from outside", killedAgainAndAgain)
	// The last one: it leaves work behind.
	c.scenario(t, "ZooKeeper hears of owners, not of messages", coordinationIsQuiet)
}

// littleMemory is a control group in which 256 MiB are all.
func littleMemory(t *testing.T) string {
	group := fmt.Sprintf("/sys/fs/cgroup/memory/canvas-test-%d", os.Getpid())
	limit := "memory.limit_in_bytes"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		group, limit = fmt.Sprintf("/sys/fs/cgroup/canvas-test-%d", os.Getpid()), "memory.max"
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("no control group can be made here: %v", err)
	}
	t.Cleanup(func() { os.Remove(group) })
	if err := os.WriteFile(filepath.Join(group, limit), []byte("268435456"), 0o600); err != nil {
		t.Skipf("no control group's memory can be bounded here: %v", err)
	}
	return group
}

// killedAgainAndAgain: whatever is in hand when somebody kills a worker is innocent. Every worker is killed
// soon after it has begun, so that the same items are in hand again and again.
func killedAgainAndAgain(t *testing.T, c *cluster) {
	kills, between := 6, 1500*time.Millisecond
	if soak.Asked() {
		kills, between = 8, 8*time.Second
	}
	c.settings.Speed = 4
	const items = 60
	c.put(items, healthy)
	buried := len(all(t, c.kafka, event.DLQTopic))
	one, killOne := c.kept("one")
	two, killTwo := c.kept("two")
	for range kills {
		time.Sleep(between) // the load itself
		killOne()
		killTwo()
	}
	c.until(2*time.Minute, "all done", func() bool { return backlog(t, c.kafka) == 0 })
	if n := len(all(t, c.kafka, event.DLQTopic)) - buried; n != 0 {
		t.Errorf("%d innocent items are dead letters after %d kills", n, one()+two())
	}
	if distinct, _ := c.counted(); distinct != items {
		t.Errorf("%d results of %d items", distinct, items)
	}
}

// itemKills: an item of which a worker has died alone is a dead letter, and takes no other along.
func itemKills(t *testing.T, c *cluster, deadly string) {
	const items, victim = 60, 23
	buried := len(all(t, c.kafka, event.DLQTopic))
	first := c.put(items, func(n int) string {
		if n == victim {
			return deadly
		}
		return ""
	})
	one, two := c.supervised("one"), c.supervised("two")
	c.until(2*time.Minute, "all but the victim done", func() bool {
		distinct, _ := c.counted()
		return distinct == items-1 && backlog(t, c.kafka) == 0
	})
	// Two as a rule: one if it was alone in hand at the first, more if the item is another worker's before the
	// first has come back and told.
	if n := one() + two(); n < 1 || n > 3 {
		t.Errorf("%d workers died of it", n)
	}
	deadLetters := all(t, c.kafka, event.DLQTopic)[buried:]
	if len(deadLetters) != 1 {
		t.Fatalf("%d dead letters, want the victim", len(deadLetters))
	}
	item, err := deadLetters[0].Item()
	if err != nil || item.Subject != fmt.Sprintf("s1/%d_0", first+victim) {
		t.Errorf("the dead letter is %s (%v)", item.Subject, err)
	}
	if !slices.ContainsFunc(deadLetters[0].Headers, func(h event.Header) bool { return strings.Contains(string(h.Value), "a worker crashed on the item") }) {
		t.Errorf("its headers are %q", deadLetters[0].Headers)
	}
}

// partitionsOf are the partitions of the work topic by subject.
func (c *cluster) partitionsOf() map[string]int {
	in := map[string]int{}
	for _, r := range all(c.t, c.kafka, event.WorkTopic) {
		item, err := r.Item()
		if err != nil {
			c.t.Fatal(err)
		}
		in[item.Subject] = r.Partition
	}
	return in
}

// firstAfter is when the first result from one of the partitions came after the time at.
func (c *cluster) firstAfter(at time.Time, partitions map[int]bool) (first time.Time) {
	in := c.partitionsOf()
	subjects, times := c.found()
	for n, s := range subjects {
		if times[n].After(at) && partitions[in[s]] && (first.IsZero() || times[n].Before(first)) {
			first = times[n]
		}
	}
	return first
}

// held are the partitions that a worker owns.
func (c *cluster) held(id string) map[int]bool {
	c.t.Helper()
	owners, err := c.zk.Owners(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	held := map[int]bool{}
	for p := range c.settings.Partitions {
		held[p] = owners[LeaseName(p)].Member == id
	}
	return held
}

// takesOver: results come from an ended worker's partitions again, in the long form within a bounded time.
func takesOver(t *testing.T, c *cluster, end syscall.Signal, within time.Duration) {
	c.settings.Speed = 40
	const items = 240
	c.put(items, healthy)
	first := c.start("first") // it leads
	c.until(2*time.Minute, "the first works", func() bool { n, _ := c.counted(); return n > 8 })
	c.start("second")
	c.until(2*time.Minute, "they share", func() bool { o := c.owned(); return o["first"] == 2 && o["second"] == 2 })
	shared := time.Now()
	c.until(2*time.Minute, "the second works", func() bool { return !c.firstAfter(shared, c.held("second")).IsZero() })
	held, at := c.held("first"), time.Now()
	first.signal(end)
	<-first.ended
	if end == syscall.SIGTERM {
		if took := time.Since(at); soak.Timed() && took > 5*time.Second || first.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("it left after %v: %v", took, first.cmd.ProcessState)
		}
		at = time.Now()
	}
	c.until(2*time.Minute, "a result from its partitions", func() bool { return !c.firstAfter(at, held).IsZero() })
	if took := c.firstAfter(at, held).Sub(at); soak.Timed() && took > within {
		t.Errorf("the first result from its partitions came after %v, want %v", took, within)
	}
	c.until(2*time.Minute, "all is done", func() bool { return backlog(t, c.kafka) == 0 })
	distinct, doubled := c.counted()
	if distinct != items || end == syscall.SIGTERM && doubled != 0 {
		t.Errorf("%d of %d results, %d twice", distinct, items, doubled)
	}
	if n := len(all(t, c.kafka, event.DLQTopic)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// frozenWritesNothing: a worker that was stopped for longer than its session knows it when it goes on.
func frozenWritesNothing(t *testing.T, c *cluster) {
	c.settings.Speed = 40
	const items = 200
	c.put(items, healthy)
	frozen := c.start("frozen")
	c.until(2*time.Minute, "it works", func() bool { n, _ := c.counted(); return n > 8 })
	frozen.signal(syscall.SIGSTOP)
	c.start("other")
	c.until(2*time.Minute, "the other owns all", func() bool { return c.owned()["other"] == c.settings.Partitions })
	before, _ := c.counted()
	c.until(2*time.Minute, "the other has results", func() bool { n, _ := c.counted(); return n > before })
	frozen.signal(syscall.SIGCONT)
	c.until(2*time.Minute, "all is done", func() bool { return backlog(t, c.kafka) == 0 })
	distinct, doubled := c.counted()
	// What was on its way when it froze may be there twice, with the same id: one batch in inference
	// and one before it of each partition, no more.
	if distinct != items || doubled > 2*c.settings.Batch*c.settings.Partitions {
		t.Errorf("%d of %d results, %d twice", distinct, items, doubled)
	}
}

// requests is how many packets ZooKeeper has received in its life.
func (c *cluster) requests() (n int) {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.settings.ZooKeeper[0])
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "srvr")
	answer, err := io.ReadAll(conn)
	if err != nil {
		c.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(answer), "Received: ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		c.t.Fatalf("reading %q: %v", answer, err)
	}
	return n
}

// coordinationIsQuiet: ten times the messages cause no more requests to ZooKeeper.
func coordinationIsQuiet(t *testing.T, c *cluster) {
	const span = 3 * time.Second
	measure := func(speed float64) (messages, requests int) {
		c.put(int(speed)*8, healthy)
		w := c.start(fmt.Sprintf("speed-%v", speed), func(s *childSettings) { s.Speed = speed })
		before, _ := c.counted()
		c.until(2*time.Minute, "it works on all partitions", func() bool {
			n, _ := c.counted()
			return n > before+int(speed) && len(c.owned()) == 1 && c.owned()[w.id] == c.settings.Partitions
		})
		from := c.requests()
		first, _ := c.counted()
		time.Sleep(span) // the measurement itself
		last, _ := c.counted()
		requests = c.requests() - from
		w.signal(syscall.SIGTERM)
		<-w.ended
		return last - first, requests
	}
	few, quiet := measure(10)
	many, busy := measure(200)
	t.Logf("%d messages: %d requests; %d messages: %d requests", few, quiet, many, busy)
	if many < 5*few {
		t.Fatalf("%d and %d messages: there is nothing to compare", few, many)
	}
	if busy > quiet+15 {
		t.Errorf("ZooKeeper received %d requests for %d messages and %d for %d", quiet, few, busy, many)
	}
}
