package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Lag is how far a group is behind in a topic.
type Lag struct {
	Topic      string         `json:"topic"`
	Group      string         `json:"group"`
	Lag        int64          `json:"lag"`
	Partitions []PartitionLag `json:"partitions"`
}

// PartitionLag is one partition's.
type PartitionLag struct {
	Partition int    `json:"partition"`
	Owner     string `json:"owner"` // the worker whose it is, of canvas.work
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
}

// Cluster is who works in the cloud, and how far behind they are.
type Cluster struct {
	Asked   time.Time `json:"asked"`
	Workers []Worker  `json:"workers"`
	Engines []Engine  `json:"engines"`
	Lags    []Lag     `json:"lags"`
	Problem string    `json:"problem"` // why a part of it is not known
	Behind  int64     `json:"behind"`  // records that the console has not taken in yet

	GroupErr error `json:"-"` // the coordinator did not say who works
}

// Groups of consumers, by the names under which they commit.
var groups = []struct{ group, topic string }{
	{"canvas-worker", event.WorkTopic}, {"canvas-mosaic", event.ResultsTopic}, {"canvas-mosaic", event.EventsTopic},
}

// ClusterView asks Kafka and the coordinator, at most once in a while: pages of many people are one
// question.
type ClusterView struct {
	log    Log
	group  Group
	device Device
	index  *index.Index

	mu   sync.Mutex
	last Cluster
}

// Patience is how long a service may take to answer.
const Patience = 3 * time.Second

// askAgain is how long an answer is believed.
const askAgain = 2 * time.Second

// NewClusterView asks these; a group or a device that is not there is nil.
func NewClusterView(log Log, group Group, device Device, x *index.Index) *ClusterView {
	return &ClusterView{log: log, group: group, device: device, index: x}
}

// Get is the cluster as it is now, or was a moment ago.
func (v *ClusterView) Get(ctx context.Context) Cluster {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.last.Asked) < askAgain {
		return v.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	c := Cluster{Workers: []Worker{}, Engines: []Engine{}, Lags: []Lag{}}
	owners := map[string]string{}
	if v.group != nil {
		var err error
		if c.Workers, err = v.group.Workers(ctx); err == nil {
			owners, err = v.group.Owners(ctx)
		}
		if err != nil {
			c.GroupErr, c.Problem = err, fmt.Sprintf("which workers are running: %v", err)
		}
	}
	if v.device != nil {
		c.Engines = v.device.Engines()
	}
	if err := v.lags(ctx, &c, owners); err != nil {
		c.Problem = fmt.Sprintf("how far behind they are: %v", err)
	}
	c.Asked = time.Now()
	v.last = c
	return c
}

func (v *ClusterView) lags(ctx context.Context, c *Cluster, owners map[string]string) (err error) {
	for _, g := range groups {
		all, err := kafka.ProgressOf(ctx, v.log, g.group, g.topic)
		if err != nil {
			return err
		}
		l := Lag{Topic: g.topic, Group: g.group}
		for p, at := range all {
			one := PartitionLag{Partition: p, Committed: at.Committed, End: at.End, Lag: at.Lag()}
			if g.topic == event.WorkTopic {
				one.Owner = owners[fmt.Sprintf("%s-%d", g.topic, p)]
			}
			l.Lag += one.Lag
			l.Partitions = append(l.Partitions, one)
		}
		slices.SortFunc(l.Partitions, func(a, b PartitionLag) int { return cmp.Compare(a.Partition, b.Partition) })
		c.Lags = append(c.Lags, l)
	}
	c.Behind, err = v.index.Behind(ctx)
	return err
}
