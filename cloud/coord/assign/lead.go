package assign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/telemetry"
)

// Config is how the leader divides.
type Config struct {
	Rebalance time.Duration `yaml:"rebalance" desc:"how long an imbalance must last before running workers give partitions away; those that come or go are acted on at once" range:"0s..1h"`
	Tolerance float64       `yaml:"tolerance" desc:"how much longer than the best the slowest may take: 0.15 is 15 %" range:"0..10"`
	TargetAge time.Duration `yaml:"target_age" desc:"how old work may get; canvas_cloud_workers_wanted follows from it"`
}

// DefaultConfig rebalances after 30 s of more than 15 %.
func DefaultConfig() Config {
	return Config{Rebalance: 30 * time.Second, Tolerance: 0.15, TargetAge: time.Minute}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if c.TargetAge <= 0 {
		add("target_age", fmt.Sprintf("is %v", c.TargetAge), "use a time such as 1m")
	}
}

// Hooks are what the leader calls beside the coordinator. Each may be nil.
type Hooks struct {
	// Led is called with the members whenever they change while this process leads, and with nil when it does no more.
	Led func(members []coord.Member)
	// Backlog is how many items wait in each partition of a topic.
	Backlog func(ctx context.Context, topic string) (map[int]int64, error)
}

// Lead keeps the assignments of the topics (by number of partitions) up to date while this process
// is the leader, and competes to be it until ctx ends.
func Lead(ctx context.Context, c coord.Coordinator, topics map[string]int, cfg Config, log *slog.Logger, hooks Hooks) error {
	if cfg == (Config{}) {
		cfg = DefaultConfig()
	}
	if hooks.Led == nil {
		hooks.Led = func([]coord.Member) {}
	}
	return c.Lead(ctx, Name, func(ctx context.Context, epoch coord.Epoch) error {
		log.Info("this process leads: it divides the work among the workers", "epoch", epoch)
		defer hooks.Led(nil)
		l := &leader{c.Document(Name), topics, cfg, log, hooks, epoch, time.Time{}, time.Time{}}
		err := l.run(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("dividing the work: %w", err)
	})
}

type leader struct {
	doc    coord.Document
	topics map[string]int
	cfg    Config
	log    *slog.Logger
	hooks  Hooks
	epoch  coord.Epoch
	uneven time.Time // since when the division has been too uneven; zero: it is not
	behind time.Time // since when some have had more before them than others; likewise
}

func (l *leader) run(ctx context.Context, c coord.Coordinator) error {
	members, err := c.Members(ctx, coord.Worker)
	if err != nil {
		return err
	}
	var now []coord.Member
	tick := time.NewTicker(max(l.cfg.Rebalance/6, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case m, ok := <-members:
			if !ok {
				return errors.New("the list of members ended")
			}
			now = m
			l.hooks.Led(append([]coord.Member{}, m...))
		case <-tick.C:
			laden, err := l.relieve(ctx, now)
			if err != nil {
				return err
			}
			if laden {
				l.uneven = time.Time{} // the backlog says more than the number of partitions
				continue
			}
			if l.uneven.IsZero() || time.Since(l.uneven) < l.cfg.Rebalance {
				continue
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.divide(ctx, now); err != nil {
			return err
		}
	}
}

// divide writes a new table where the members ask for one: at once when a partition belongs to
// no member or a member has come, later when it is only uneven.
func (l *leader) divide(ctx context.Context, members []coord.Member) error {
	for {
		value, version, err := l.doc.Get(ctx)
		if err != nil {
			return err
		}
		table, err := Parse(value)
		if err != nil {
			l.log.Error("the assignments are not readable; the leader divides the work from the beginning", telemetry.Err, err)
		}
		if table.Epoch > l.epoch {
			return fmt.Errorf("a later leader (epoch %d after %d) has written: %w", table.Epoch, l.epoch, coord.ErrLost)
		}
		next, moved := l.next(table, members)
		if moved == 0 {
			return nil
		}
		b, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = l.doc.Put(ctx, b, version)
		if errors.Is(err, coord.ErrChanged) {
			continue
		}
		if err == nil {
			l.uneven = time.Time{}
			l.log.Info("the leader has divided the work anew", "workers", len(members), "moved", moved)
		}
		return err
	}
}

// next is the table as it should be, and how many partitions move by it.
func (l *leader) next(table Table, members []coord.Member) (Table, int) {
	next, moved := Table{l.epoch, map[string]map[int]string{}}, 0
	weights := weigh(members)
	urgent, uneven := false, false
	for topic, partitions := range l.topics {
		before := table.Topics[topic]
		division := Assign(partitions, weights, before)
		next.Topics[topic] = division
		for p := range partitions {
			if before[p] != division[p] {
				moved++
			}
		}
		urgent = urgent || ownersChanged(partitions, weights, before, division)
		uneven = uneven || Uneven(partitions, weights, before) > (1+l.cfg.Tolerance)*Uneven(partitions, weights, division)
	}
	switch {
	case urgent:
		return next, moved
	case !uneven:
		l.uneven = time.Time{}
		return table, 0
	case l.uneven.IsZero():
		l.uneven = time.Now()
	}
	if time.Since(l.uneven) < l.cfg.Rebalance {
		return table, 0
	}
	return next, moved
}

// ownersChanged says that a partition belongs to no member, or that someone who is there
// has none and the new division has some for them.
func ownersChanged(partitions int, members []Weight, before, after map[int]string) bool {
	has := map[string]bool{}
	for _, m := range members {
		has[m.ID] = false
	}
	for p := range partitions {
		id := before[p]
		if _, there := has[id]; !there && (len(members) > 0 || id != "") {
			return true
		}
		has[id] = true
	}
	for _, id := range after {
		if !has[id] {
			return true
		}
	}
	return false
}

// weigh takes each member's speed relative to the others: for each model its rate over the mean of
// those who measured it, and of these the mean. So a worker that happened to see the light model only
// does not count for faster than it is.
func weigh(members []coord.Member) []Weight {
	sum, known := map[string]float64{}, map[string]float64{}
	for _, m := range members {
		for model, rate := range m.Rates {
			sum[model] += rate
			known[model]++
		}
	}
	weights := make([]Weight, 0, len(members))
	for _, m := range members {
		speed := 0.0
		for model, rate := range m.Rates {
			speed += rate / (sum[model] / known[model])
		}
		weights = append(weights, Weight{m.ID, speed / float64(max(1, len(m.Rates)))})
	}
	return weights
}
