package worker

import (
	"fmt"
	"hash/fnv"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/soak"
)

// putEvenly writes so many items into each partition, by choosing ids that Kafka's hash leads there.
func (c *cluster) putEvenly(each int) (items int) {
	c.t.Helper()
	left := map[int]int{}
	for p := range c.settings.Partitions {
		left[p] = each
	}
	var records []kafka.Record
	for len(records) < each*c.settings.Partitions {
		r := kafka.RecordOf(tile(c.made, ""))
		h := fnv.New32a()
		h.Write(r.Key)
		if p := max(int32(h.Sum32())%int32(c.settings.Partitions), -(int32(h.Sum32()) % int32(c.settings.Partitions))); left[int(p)] > 0 {
			left[int(p)]--
			records = append(records, r)
		}
		c.made++
	}
	if err := c.kafka.Append(c.t.Context(), records...); err != nil {
		c.t.Fatal(err)
	}
	return len(records)
}

func (c *cluster) division() map[int]string {
	c.t.Helper()
	value, _, err := c.zk.Document(assign.Name).Get(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	table, err := assign.Parse(value)
	if err != nil {
		c.t.Fatal(err)
	}
	return table.Topics[event.WorkTopic]
}

func counts(division map[int]string) map[string]int {
	n := map[string]int{}
	for _, id := range division {
		n[id]++
	}
	return n
}

func TestWorkersOfUnequalSpeedFinishTogether(t *testing.T) {
	const partitions = 14
	c := startCluster(t, partitions)
	c.settings.Batch = 2
	speeds := map[string]float64{"one": 10, "two": 20, "four": 40}
	processes := map[string]*workerProcess{}
	for id, speed := range speeds {
		processes[id] = c.start(id, func(s *childSettings) { s.Speed = speed })
	}
	c.until(2*time.Minute, "all take part", func() bool { o := c.owned(); return len(o) == 3 })
	c.putEvenly(6) // so that each learns its speed
	c.until(2*time.Minute, "shares as the speeds are", func() bool {
		n := counts(c.division())
		return n["one"] == 2 && n["two"] == 4 && n["four"] == 8
	})
	c.until(2*time.Minute, "the first load is done and everyone owns its share", func() bool {
		o := c.owned()
		return backlog(t, c.kafka) == 0 && o["one"] == 2 && o["two"] == 4 && o["four"] == 8
	})

	before, _ := c.found()
	began := time.Now()
	items := c.putEvenly(20)
	c.until(2*time.Minute, "all is done", func() bool { return backlog(t, c.kafka) == 0 })
	in, division := c.partitionsOf(), c.division()
	subjects, at := c.found()
	if len(subjects) != len(before)+items {
		t.Errorf("%d results of %d items", len(subjects)-len(before), items)
	}
	last := map[string]time.Duration{}
	for n, s := range subjects[len(before):] {
		id := division[in[s]]
		last[id] = max(last[id], at[len(before)+n].Sub(began))
	}
	soonest, latest := min(last["one"], last["two"], last["four"]), max(last["one"], last["two"], last["four"])
	t.Logf("finished after %v", last)
	if soak.Timed() && float64(latest-soonest) > 0.15*float64(latest) {
		t.Errorf("workers of speed 1:2:4 finished after %v: more than 15 %% apart", last)
	}

	processes["two"].signal(syscall.SIGTERM)
	c.until(2*time.Minute, "the work of the one that left is shared", func() bool { return counts(c.division())["two"] == 0 })
	after := c.division()
	moved := map[string]int{}
	for p, id := range division {
		if id != "two" && after[p] != id {
			moved[id]++
		}
	}
	if moved["one"] > 1 || moved["four"] > 1 {
		t.Errorf("one left, and of the others' partitions moved %v: %s to %s", moved, fmt.Sprint(division), fmt.Sprint(after))
	}
}
